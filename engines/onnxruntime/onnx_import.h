// SPDX-License-Identifier: Apache-2.0
/// \file
/// Models of other formats as ONNX, through the toolchain "tensorflow".
#pragma once

#include "kenning/core/optimizer.h"

namespace kenning::ort {

struct ImportedModel {
  std::filesystem::path path;  ///< The ONNX file.
  std::string version;         ///< Of tf2onnx.
  std::vector<std::string> notes;
};

/// Converts a model of format "keras", "savedmodel" or "tflite" to ONNX below `folder`, runs both
/// on a sample of noise and compares. Inputs keep their names, order and layout. \return what
/// RunWorker returns; kEngineFailure where a float model's outputs differ by more than a thousandth
/// of the largest.
Result<ImportedModel> ImportToOnnx(const ModelArtifact& input, const std::filesystem::path& folder,
                                   OptimizeContext& context);

/// What `converted` cannot know of the model that it was made from: quantisation of its inputs and
/// outputs, layouts, class names. Tensors go by position.
ModelSpec CarrySpec(const ModelSpec& original, ModelSpec converted);

}  // namespace kenning::ort
