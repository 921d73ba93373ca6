// SPDX-License-Identifier: Apache-2.0
#include "quantizer/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx_graph/graph.h"
#include "onnx_graph/validate.h"

namespace kenning::quantizer {
namespace {

using onnx_graph::IntAttribute;
using onnx_graph::IsOp;

constexpr int kFullRange = 127;
constexpr int kReducedRange = 64;
/// Two products of an activation of 0..255 stay within 16 bits where the two weights' magnitudes
/// sum to at most this: 255 * 128 = 32640.
constexpr double kPairLimit = 128;
constexpr double kMostBias = 0x1p30;

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }

Result<WeightLayout> ConvLayout(const onnx::NodeProto& node, std::span<const std::int64_t> dims) {
  const auto group = Size(IntAttribute(node, "group", 1));
  WeightLayout layout;
  layout.channels = Size(dims[0]);
  layout.input_channels = Size(dims[1]);
  if (group == 0 || layout.channels % group != 0) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("{}: {} output channels in {} groups",
                                                      onnx_graph::Describe(node), dims[0], group));
  }
  layout.group_channels = layout.channels / group;
  layout.depthwise = group > 1 && layout.input_channels == 1;
  layout.terms = 1;
  for (std::size_t d = 1; d < dims.size(); ++d) layout.terms *= Size(dims[d]);
  layout.index.resize(layout.channels * layout.terms);
  for (std::size_t i = 0; i < layout.index.size(); ++i) layout.index[i] = i;
  return layout;
}

/// Weights [input, output / group, kernel…]; channels are along axis 1, so only one group.
Result<WeightLayout> TransposedConvLayout(const onnx::NodeProto& node,
                                          std::span<const std::int64_t> dims) {
  if (IntAttribute(node, "group", 1) != 1) {
    return Fail(ErrorCode::kUnsupported, "a ConvTranspose of several groups");
  }
  WeightLayout layout;
  layout.axis = 1;
  layout.input_channels = Size(dims[0]);
  layout.channels = Size(dims[1]);
  layout.group_channels = layout.channels;
  std::size_t kernel = 1;
  for (std::size_t d = 2; d < dims.size(); ++d) kernel *= Size(dims[d]);
  layout.terms = layout.input_channels * kernel;
  for (std::size_t c = 0; c < layout.channels; ++c) {
    for (std::size_t i = 0; i < layout.input_channels; ++i) {
      for (std::size_t k = 0; k < kernel; ++k) {
        layout.index.push_back((i * layout.channels + c) * kernel + k);
      }
    }
  }
  return layout;
}

WeightLayout MatrixLayout(bool transposed, std::span<const std::int64_t> dims) {
  WeightLayout layout;
  layout.axis = transposed ? 0 : 1;
  layout.channels = Size(transposed ? dims[0] : dims[1]);
  layout.terms = Size(transposed ? dims[1] : dims[0]);
  layout.input_channels = layout.terms;
  layout.group_channels = layout.channels;
  for (std::size_t c = 0; c < layout.channels; ++c) {
    for (std::size_t t = 0; t < layout.terms; ++t) {
      layout.index.push_back(transposed ? c * layout.terms + t : t * layout.channels + c);
    }
  }
  return layout;
}

/// The largest sum of two weights of one sign that a kernel may add up in 16 bits: neighbours, both
/// in the order of ONNX and with the input channel innermost, as kernels for NHWC have them.
double LargestPair(std::span<const float> weights, const WeightLayout& layout,
                   std::size_t channel) {
  const std::size_t kernel = layout.terms / std::max<std::size_t>(layout.input_channels, 1);
  double largest = 0;
  const auto value = [&](std::size_t term) {
    return static_cast<double>(weights[layout.at(channel, term)]);
  };
  const auto consider = [&](std::size_t a, std::size_t b) {
    const double x = value(a);
    const double y = value(b);
    largest = std::max(
        {largest, std::max(x, 0.0) + std::max(y, 0.0), std::max(-x, 0.0) + std::max(-y, 0.0)});
  };
  const auto innermost = [&](std::size_t position) {  // Term at a position of the NHWC order.
    return position % layout.input_channels * kernel + position / layout.input_channels;
  };
  for (std::size_t t = 0; t + 1 < layout.terms; ++t) {
    consider(t, t + 1);
    consider(innermost(t), innermost(t + 1));
  }
  return largest;
}

double ScaleOf(std::span<const float> weights, const WeightLayout& layout, const Settings& settings,
               std::size_t channel, bool& limited) {
  double most = 0;
  for (std::size_t t = 0; t < layout.terms; ++t) {
    most = std::max(most, std::abs(static_cast<double>(weights[layout.at(channel, t)])));
  }
  if (settings.weight_range == WeightRange::kReduced) return most / kReducedRange;
  double scale = most / kFullRange;
  // Depthwise kernels widen their products to 32 bits.
  if (settings.weight_range == WeightRange::kPairSafe && !layout.depthwise) {
    // Rounding may add half a step to each of the two.
    const double needed = LargestPair(weights, layout, channel) / (kPairLimit - 1);
    limited = needed > scale;
    scale = std::max(scale, needed);
  }
  return scale;
}

}  // namespace

Result<WeightLayout> LayoutOf(const onnx::NodeProto& node, std::span<const std::int64_t> dims) {
  if (IsOp(node, "Conv") && dims.size() >= 3) return ConvLayout(node, dims);
  if (IsOp(node, "ConvTranspose") && dims.size() >= 3) return TransposedConvLayout(node, dims);
  if (IsOp(node, "Gemm") && dims.size() == 2) {
    return MatrixLayout(IntAttribute(node, "transB", 0) != 0, dims);
  }
  if (IsOp(node, "MatMul") && dims.size() == 2) return MatrixLayout(false, dims);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: weights of {} dimensions", onnx_graph::Describe(node), dims.size()));
}

QuantizedWeights QuantizeWeights(std::span<const float> weights, const WeightLayout& layout,
                                 const Settings& settings, std::span<const float> bias,
                                 float input_scale) {
  QuantizedWeights result;
  result.values.resize(weights.size());
  std::vector<double> scales(layout.channels);
  for (std::size_t c = 0; c < layout.channels; ++c) {
    bool limited = false;
    scales[c] = ScaleOf(weights, layout, settings, c, limited);
    result.limited = result.limited || limited;
    if (c < bias.size()) {
      const double for_bias =
          std::abs(static_cast<double>(bias[c])) / (static_cast<double>(input_scale) * kMostBias);
      scales[c] = std::max(scales[c], for_bias);
    }
    if (!(scales[c] >= static_cast<double>(std::numeric_limits<float>::min()))) scales[c] = 1;
  }
  if (!settings.per_channel) {
    std::ranges::fill(scales, *std::ranges::max_element(scales));
  }
  for (std::size_t c = 0; c < layout.channels; ++c) {
    const auto scale = static_cast<float>(scales[c]);
    int most = 0;
    for (std::size_t t = 0; t < layout.terms; ++t) {
      const std::size_t i = layout.at(c, t);
      const long level = std::lrint(static_cast<double>(weights[i]) / static_cast<double>(scale));
      const auto value = static_cast<int>(std::clamp<long>(level, -kFullRange, kFullRange));
      result.values[i] = static_cast<std::int8_t>(value);
      most = std::max(most, std::abs(value));
    }
    if (most > 0) result.smallest_range = std::min(result.smallest_range, most);
    if (settings.per_channel || c == 0) result.scale.push_back(scale);
  }
  return result;
}

std::vector<float> MeanError(std::span<const float> weights, const QuantizedWeights& quantized,
                             const WeightLayout& layout, std::span<const double> input_means) {
  std::vector<float> errors(layout.channels, 0.0F);
  const std::size_t kernel = layout.terms / std::max<std::size_t>(layout.input_channels, 1);
  for (std::size_t c = 0; c < layout.channels; ++c) {
    const auto scale = static_cast<double>(quantized.scale[quantized.scale.size() == 1 ? 0 : c]);
    const std::size_t first_input = c / layout.group_channels * layout.input_channels;
    double error = 0;
    for (std::size_t t = 0; t < layout.terms; ++t) {
      const std::size_t i = layout.at(c, t);
      const std::size_t input = first_input + t / kernel;
      if (input >= input_means.size()) continue;
      error += (scale * quantized.values[i] - static_cast<double>(weights[i])) * input_means[input];
    }
    errors[c] = static_cast<float>(error);
  }
  return errors;
}

}  // namespace kenning::quantizer
