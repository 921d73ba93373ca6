// SPDX-License-Identifier: Apache-2.0
#include "classifier.h"
#include "kenning/base/check.h"
#include "kenning/registry/registry.h"
#include "magic_wand_wrapper.h"
#include "pet_wrapper.h"

namespace kenning {
namespace {

/// A classifier of models of some formats; of any format where there are none.
void AddClassifier(Registry& registry, std::string name, std::vector<std::string> aliases,
                   std::string summary, std::string_view model, std::vector<std::string> formats) {
  BlockInfo info;
  info.category = BlockCategory::kModelWrapper;
  info.name = std::move(name);
  info.aliases = std::move(aliases);
  info.summary = std::move(summary);
  info.schema = ClassifierSchema(model);
  info.produces = formats;
  info.make_model_wrapper = ClassifierFactory(std::move(formats));
  KENNING_CHECK(registry.Add(std::move(info)).has_value());
}

void AddPetWrapper(Registry& registry, std::string name, std::string module, std::string framework,
                   std::string_view model, std::vector<std::string> formats) {
  BlockInfo info;
  info.category = BlockCategory::kModelWrapper;
  info.aliases = {"kenning.modelwrappers.classification." + module + "." + name};
  info.name = std::move(name);
  info.summary = "MobileNetV2 that tells the breeds of PetDataset, of " + framework + ".";
  info.schema = PetWrapperSchema(model);
  info.produces = formats;
  info.make_model_wrapper = PetWrapperFactory(std::move(formats));
  KENNING_CHECK(registry.Add(std::move(info)).has_value());
}

}  // namespace

void RegisterModelWrappers(Registry& registry) {
  AddClassifier(registry, "Classifier", {},
                "A model of any format with one input that gives class scores.", "model", {});
  AddClassifier(registry, "ONNXClassifier", {},
                "An ONNX model with one input that gives class scores.", "ONNX model", {"onnx"});
  AddClassifier(registry, "TensorFlowWrapper",
                {"kenning.modelwrappers.frameworks.tensorflow.TensorFlowWrapper"},
                "A Keras or TensorFlow model with one input that gives class scores.",
                "Keras model (.h5, .keras) or SavedModel", {"keras", "savedmodel"});
  AddClassifier(registry, "PyTorchWrapper",
                {"kenning.modelwrappers.frameworks.pytorch.PyTorchWrapper"},
                "A PyTorch model (TorchScript or torch.export) with one input that gives class "
                "scores.",
                "TorchScript model or exported program", {"torchscript", "torch_export"});

  AddPetWrapper(registry, "TensorFlowPetDatasetMobileNetV2", "tensorflow_pet_dataset",
                "Keras or TensorFlow", "Keras model (.h5, .keras) or SavedModel",
                {"keras", "savedmodel"});
  AddPetWrapper(registry, "PyTorchPetDatasetMobileNetV2", "pytorch_pet_dataset", "PyTorch",
                "TorchScript model or exported program", {"torchscript", "torch_export"});

  BlockInfo wand;
  wand.category = BlockCategory::kModelWrapper;
  wand.name = "MagicWandModelWrapper";
  wand.aliases = {
      "kenning.modelwrappers.classification.tflite_magic_wand.MagicWandModelWrapper",
      "kenning.modelwrappers.classification.tensorflow_magic_wand.MagicWandModelWrapper",
  };
  wand.summary = "Gestures from windows of accelerometer readings.";
  wand.schema = MagicWandSchema();
  wand.make_model_wrapper = MakeMagicWandWrapper;
  KENNING_CHECK(registry.Add(std::move(wand)).has_value());
}

}  // namespace kenning
