// SPDX-License-Identifier: Apache-2.0
#include "quantizer/weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "quantizer/testing_models.h"

namespace kenning::quantizer {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::Le;

onnx::NodeProto Node(const std::string& op, std::int64_t group = 1) {
  onnx::NodeProto node;
  node.set_op_type(op);
  if (group != 1) onnx_graph::SetIntAttribute(node, "group", group);
  return node;
}

WeightLayout Layout(const onnx::NodeProto& node, std::vector<std::int64_t> dims) {
  return LayoutOf(node, dims).value();
}

TEST(LayoutTest, ChannelsLieWhereTheOperatorHasThem) {
  const WeightLayout conv = Layout(Node("Conv"), {4, 3, 2, 2});
  EXPECT_EQ(conv.axis, 0);
  EXPECT_EQ(conv.channels, 4U);
  EXPECT_EQ(conv.terms, 12U);
  EXPECT_FALSE(conv.depthwise);
  EXPECT_TRUE(Layout(Node("Conv", 4), {4, 1, 3, 3}).depthwise);
  const WeightLayout product = Layout(Node("MatMul"), {3, 2});
  EXPECT_EQ(product.axis, 1);
  EXPECT_THAT(product.index, ElementsAre(0, 2, 4, 1, 3, 5));
  onnx::NodeProto gemm = Node("Gemm");
  onnx_graph::SetIntAttribute(gemm, "transB", 1);
  EXPECT_EQ(Layout(gemm, {2, 3}).axis, 0);
  const WeightLayout transposed = Layout(Node("ConvTranspose"), {2, 3, 1, 1});
  EXPECT_EQ(transposed.axis, 1);
  EXPECT_THAT(transposed.index, ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_FALSE(LayoutOf(Node("Conv", 3), std::vector<std::int64_t>{4, 1, 3, 3}));
}

TEST(QuantizeWeightsTest, EachChannelUsesItsWholeRange) {
  const std::vector<float> weights = {1, -0.5F, 100, 25};
  const WeightLayout layout = Layout(Node("Gemm"), {2, 2});  // Columns are channels.
  Settings settings;
  const QuantizedWeights quantized = QuantizeWeights(weights, layout, settings, {}, 1);
  EXPECT_THAT(quantized.values, ElementsAre(1, -3, 127, 127));
  EXPECT_FLOAT_EQ(quantized.scale[0], 100.0F / 127);
  EXPECT_FLOAT_EQ(quantized.scale[1], 25.0F / 127);
  settings.per_channel = false;
  const QuantizedWeights together = QuantizeWeights(weights, layout, settings, {}, 1);
  EXPECT_THAT(together.values, ElementsAre(1, -1, 127, 32));
  EXPECT_EQ(together.scale.size(), 1U);
}

TEST(QuantizeWeightsTest, ReducedRangeAndChannelsOfZeros) {
  const std::vector<float> weights = {0, 2, 0, -1};
  Settings settings;
  settings.weight_range = WeightRange::kReduced;
  const QuantizedWeights quantized =
      QuantizeWeights(weights, Layout(Node("Gemm"), {2, 2}), settings, {}, 1);
  EXPECT_THAT(quantized.values, ElementsAre(0, 64, 0, -32));
  EXPECT_GT(quantized.scale[0], 0.0F);
}

TEST(QuantizeWeightsTest, NoPairOfNeighboursSaturatesSixteenBits) {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal(0, 1);
  const std::vector<std::int64_t> dims = {16, 24, 3, 3};
  std::vector<float> weights(16 * 24 * 9);
  for (float& weight : weights) weight = normal(generator);
  const WeightLayout layout = Layout(Node("Conv"), dims);
  Settings settings;
  settings.weight_range = WeightRange::kPairSafe;
  const QuantizedWeights quantized = QuantizeWeights(weights, layout, settings, {}, 1);
  EXPECT_TRUE(quantized.limited);
  EXPECT_GT(quantized.smallest_range, 64);  // Finer than halving everything.
  // In the order of ONNX, and with the input channel innermost.
  for (std::size_t c = 0; c < layout.channels; ++c) {
    for (std::size_t t = 0; t + 1 < layout.terms; ++t) {
      const auto at = [&](std::size_t term) {
        return static_cast<int>(quantized.values[layout.at(c, term)]);
      };
      const auto nhwc = [](std::size_t position) { return position % 24 * 9 + position / 24; };
      for (const auto& [a, b] :
           {std::pair(at(t), at(t + 1)), std::pair(at(nhwc(t)), at(nhwc(t + 1)))}) {
        ASSERT_LE(255 * (std::max(a, 0) + std::max(b, 0)), 32767);
        ASSERT_GE(255 * (std::min(a, 0) + std::min(b, 0)), -32768);
      }
    }
  }
}

TEST(QuantizeWeightsTest, DepthwiseWeightsKeepTheirRange) {
  const std::vector<float> weights(4 * 9, 1.0F);
  Settings settings;
  settings.weight_range = WeightRange::kPairSafe;
  const QuantizedWeights quantized =
      QuantizeWeights(weights, Layout(Node("Conv", 4), {4, 1, 3, 3}), settings, {}, 1);
  EXPECT_FALSE(quantized.limited);
  EXPECT_THAT(quantized.values, Each(127));
}

TEST(QuantizeWeightsTest, ALargeBiasFitsInto32Bits) {
  const std::vector<float> weights = {1e-9F, 1e-9F};
  const std::vector<float> bias = {1e6F};
  const QuantizedWeights quantized =
      QuantizeWeights(weights, Layout(Node("Gemm"), {2, 1}), Settings{}, bias, 1e-3F);
  EXPECT_THAT(std::abs(bias[0]) / (quantized.scale[0] * 1e-3F), Le(0x1.01p30F));
}

TEST(MeanErrorTest, IsTheMeanOfTheDifferenceOfTheOutputs) {
  std::mt19937 generator(5);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> weights(6 * 4);
  for (float& weight : weights) weight = normal(generator);
  const WeightLayout layout = Layout(Node("MatMul"), {6, 4});
  const QuantizedWeights quantized = QuantizeWeights(weights, layout, Settings{}, {}, 1);
  const std::vector<double> means = {1, -2, 0.5, 3, 0, 7};
  const std::vector<float> errors = MeanError(weights, quantized, layout, means);
  for (std::size_t c = 0; c < 4; ++c) {
    double expected = 0;
    for (std::size_t i = 0; i < 6; ++i) {
      const double exact = static_cast<double>(weights[i * 4 + c]);
      const double rounded = static_cast<double>(quantized.scale[c]) * quantized.values[i * 4 + c];
      expected += (rounded - exact) * means[i];
    }
    EXPECT_NEAR(errors[c], expected, 1e-6);
  }
}

}  // namespace
}  // namespace kenning::quantizer
