// SPDX-License-Identifier: Apache-2.0
/// \file
/// Weights of convolutions and matrix products to int8.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"
#include "quantizer/settings.h"

namespace kenning::quantizer {

/// How a node's weights are laid out: where an output channel's values lie, and in which order a
/// kernel sums them.
struct WeightLayout {
  int axis = 0;  ///< Of the output channels.
  std::size_t channels = 0;
  std::size_t terms = 0;           ///< Products summed for one output.
  std::size_t input_channels = 0;  ///< Of one group.
  std::size_t group_channels = 0;  ///< Output channels of one group.
  bool depthwise = false;          ///< One input channel a group.
  /// Element of term t of channel c. Terms are ordered input channel first, then kernel position,
  /// as ONNX stores them.
  std::vector<std::size_t> index;
  std::size_t at(std::size_t channel, std::size_t term) const {
    return index[channel * terms + term];
  }
};

/// \return kInvalidModel where the weights' shape does not fit the operator; kUnsupported for what
/// cannot be quantised by channel or tensor.
Result<WeightLayout> LayoutOf(const onnx::NodeProto& node, std::span<const std::int64_t> dims);

struct QuantizedWeights {
  std::vector<std::int8_t> values;  ///< In the order of the float weights.
  std::vector<float> scale;         ///< One, or one a channel.
  bool limited = false;             ///< kPairSafe made the range smaller than -127..127 somewhere.
  int smallest_range = 127;         ///< Largest magnitude in the most limited channel.
};

/// Symmetric, rounded to nearest even. `bias` (one a channel, may be empty) and `input_scale` keep
/// the scale large enough for a 32-bit bias.
QuantizedWeights QuantizeWeights(std::span<const float> weights, const WeightLayout& layout,
                                 const Settings& settings, std::span<const float> bias,
                                 float input_scale);

/// Shift of each output channel's mean that the rounding causes: sum over terms of (quantised -
/// exact) times the mean of the input channel that it multiplies.
std::vector<float> MeanError(std::span<const float> weights, const QuantizedWeights& quantized,
                             const WeightLayout& layout, std::span<const double> input_means);

}  // namespace kenning::quantizer
