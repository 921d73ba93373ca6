// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/check.h"
#include "kenning/registry/registry.h"
#include "magic_wand_wrapper.h"
#include "onnx_classifier.h"

namespace kenning {

void RegisterModelWrappers(Registry& registry) {
  BlockInfo classifier;
  classifier.category = BlockCategory::kModelWrapper;
  classifier.name = "ONNXClassifier";
  classifier.summary = "An ONNX model with one input that gives class scores.";
  classifier.schema = OnnxClassifierSchema();
  classifier.produces = {"onnx"};
  classifier.make_model_wrapper = MakeOnnxClassifier;
  KENNING_CHECK(registry.Add(std::move(classifier)).has_value());

  BlockInfo wand;
  wand.category = BlockCategory::kModelWrapper;
  wand.name = "MagicWandModelWrapper";
  wand.aliases = {
      "kenning.modelwrappers.classification.tflite_magic_wand.MagicWandModelWrapper",
      "kenning.modelwrappers.classification.tensorflow_magic_wand.MagicWandModelWrapper",
  };
  wand.summary = "Gestures from windows of accelerometer readings.";
  wand.schema = MagicWandSchema();
  wand.produces = {"onnx"};
  wand.make_model_wrapper = MakeMagicWandWrapper;
  KENNING_CHECK(registry.Add(std::move(wand)).has_value());
}

}  // namespace kenning
