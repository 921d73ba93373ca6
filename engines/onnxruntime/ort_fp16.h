// SPDX-License-Identifier: Apache-2.0
/// \file
/// Conversion of a float32 ONNX model to float16 inside, float32 at its inputs and outputs.
#pragma once

#include <cstdint>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"

namespace kenning::ort {

struct Float16Summary {
  std::uint64_t converted_tensors = 0;
  double largest_relative_error = 0;  ///< Over the weights that are not subnormal in float16.
};

/// Changes `model` in place. \return kUnsupported naming an operator whose float16 form is not
/// known, a weight that overflows float16, or a model that is already quantised.
Result<Float16Summary> ConvertToFloat16(onnx::ModelProto& model);

}  // namespace kenning::ort
