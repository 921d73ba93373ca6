// SPDX-License-Identifier: Apache-2.0
/// \file
/// The contract of a model's inputs and outputs: plain data that travels with the artifact and is
/// saved as `<model>.json` beside it (docs/formats/io-spec.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kenning/core/dtype.h"

namespace kenning {

/// Dimensions; kAnyDim where any size is accepted (a dynamic batch).
using Shape = std::vector<std::int64_t>;
inline constexpr std::int64_t kAnyDim = -1;

/// The one owner of quantisation facts: real = (quantised - zero_point) * scale, as in ONNX and
/// TFLite. One element: per tensor. Several: per slice along `axis`, same lengths.
struct QuantParams {
  std::vector<float> scale;
  std::vector<std::int64_t> zero_point;
  int axis = 0;
  bool operator==(const QuantParams&) const = default;
};

/// One input or output. `layout` is "NCHW", "NHWC" or empty where it has no such meaning.
struct TensorSpec {
  std::string name;
  DType dtype = DType::kFloat32;
  Shape shape;
  std::string layout;
  std::optional<QuantParams> quant;
  /// The type before quantisation, where the model takes quantised values directly.
  std::optional<DType> prequantized_dtype;
  /// Position among the original model's tensors, where a compiler reordered them.
  std::optional<int> order;
  std::vector<std::string> class_names;
  std::vector<float> mean;  ///< Per-channel normalisation, in the units of the 0..1 or raw input.
  std::vector<float> stddev;
  bool operator==(const TensorSpec&) const = default;
};

/// `inputs`/`outputs`: what the dataset side gives and expects; `processed_*`: what the engine
/// takes and returns. Empty processed lists mean "the same".
struct ModelSpec {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> processed_inputs;
  std::vector<TensorSpec> outputs;
  std::vector<TensorSpec> processed_outputs;
  bool operator==(const ModelSpec&) const = default;

  const std::vector<TensorSpec>& engine_inputs() const {
    return processed_inputs.empty() ? inputs : processed_inputs;
  }
  const std::vector<TensorSpec>& engine_outputs() const {
    return processed_outputs.empty() ? outputs : processed_outputs;
  }
};

/// "float32[-1, 1, 28, 28]".
std::string ToString(const TensorSpec& spec);
std::string ShapeToString(const Shape& shape);
/// Same rank, and each pair equal or one of them kAnyDim.
bool ShapesCompatible(const Shape& a, const Shape& b);
/// Product of the dimensions; empty where one is kAnyDim, negative, or the product overflows.
std::optional<std::uint64_t> ElementCount(const Shape& shape);

}  // namespace kenning
