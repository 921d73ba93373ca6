// SPDX-License-Identifier: Apache-2.0
#include "input_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TensorSpec Spec(Shape shape, std::string layout = "") {
  return {.name = "input", .shape = std::move(shape), .layout = std::move(layout)};
}

Tensor Counting(Shape shape) {
  Tensor tensor = *Tensor::Create(DType::kFloat32, std::move(shape));
  std::iota(tensor.as<float>().begin(), tensor.as<float>().end(), 0.0F);
  return tensor;
}

TEST(InputAdapterTest, ImagesAreTransposedForNchw) {
  const auto adapter = InputAdapter::Make(Spec({1, 2, 3}), Spec({kAnyDim, 3, 1, 2}), {});
  ASSERT_TRUE(adapter) << adapter.error().ToString();
  Tensor out;
  ASSERT_TRUE(adapter->Apply(Counting({2, 1, 2, 3}), out));
  EXPECT_EQ(out.shape(), (Shape{2, 3, 1, 2}));
  EXPECT_THAT(out.as<float>(), ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
}

TEST(InputAdapterTest, PlanesBecomePixelsAndStayPlanes) {
  InputOptions options;
  options.mean = {0, 1, 2};
  const auto to_nhwc =
      InputAdapter::Make(Spec({3, 1, 2}, "NCHW"), Spec({kAnyDim, 1, 2, 3}), options);
  ASSERT_TRUE(to_nhwc) << to_nhwc.error().ToString();
  Tensor out;
  ASSERT_TRUE(to_nhwc->Apply(Counting({1, 3, 1, 2}), out));
  EXPECT_EQ(out.shape(), (Shape{1, 1, 2, 3}));
  EXPECT_THAT(out.as<float>(), ElementsAre(0, 1, 2, 1, 2, 3));
  const auto kept = InputAdapter::Make(Spec({3, 1, 2}, "NCHW"), Spec({1, 3, 1, 2}), options);
  ASSERT_TRUE(kept) << kept.error().ToString();
  out = Tensor();
  ASSERT_TRUE(kept->Apply(Counting({1, 3, 1, 2}), out));
  EXPECT_EQ(out.shape(), (Shape{1, 3, 1, 2}));
  EXPECT_THAT(out.as<float>(), ElementsAre(0, 1, 1, 2, 2, 3));
  const auto flat = InputAdapter::Make(Spec({3, 1, 2}, "NCHW"), Spec({1, 6}), options);
  ASSERT_TRUE(flat) << flat.error().ToString();
  out = Tensor();
  ASSERT_TRUE(flat->Apply(Counting({1, 3, 1, 2}), out));
  EXPECT_EQ(out.shape(), (Shape{1, 6}));
  EXPECT_THAT(out.as<float>(), ElementsAre(0, 1, 1, 2, 2, 3));
}

TEST(InputAdapterTest, AModelMayHaveFurtherDimensionsOfOne) {
  const auto adapter = InputAdapter::Make(Spec({2, 3}), Spec({kAnyDim, 2, 3, 1}), {});
  ASSERT_TRUE(adapter) << adapter.error().ToString();
  Tensor out;
  ASSERT_TRUE(adapter->Apply(Counting({2, 2, 3}), out));
  EXPECT_EQ(out.shape(), (Shape{2, 2, 3, 1}));
  EXPECT_THAT(out.as<float>(), ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
  EXPECT_FALSE(InputAdapter::Make(Spec({2, 3}), Spec({kAnyDim, 2, 3, 2}), {}));
}

TEST(InputAdapterTest, NormalisationAndChannelOrder) {
  InputOptions options;
  options.scale = 2;
  options.mean = {1, 2, 3};
  options.stddev = {1, 2, 4};
  options.reverse_channels = true;
  const auto adapter = InputAdapter::Make(Spec({1, 1, 3}), Spec({1, 1, 1, 3}), options);
  ASSERT_TRUE(adapter) << adapter.error().ToString();
  Tensor out;
  ASSERT_TRUE(adapter->Apply(Counting({1, 1, 1, 3}), out));
  // Output channel c reads input channel 2 - c; mean and std go with the model's channels.
  EXPECT_THAT(out.as<float>(), ElementsAre(3, 0, -0.75F));
}

TEST(InputAdapterTest, BytesBecomeFloats) {
  const auto adapter = InputAdapter::Make(Spec({2}), Spec({kAnyDim, 2}), {});
  Tensor bytes = *Tensor::Create(DType::kUint8, {1, 2});
  bytes.as<std::uint8_t>()[0] = 255;
  bytes.as<std::uint8_t>()[1] = 7;
  Tensor out;
  ASSERT_TRUE(adapter->Apply(bytes, out));
  EXPECT_THAT(out.as<float>(), ElementsAre(255, 7));
}

TEST(InputAdapterTest, SteadyLoopKeepsItsMemory) {
  const auto adapter = InputAdapter::Make(Spec({4, 4, 1}), Spec({kAnyDim, 16}), {});
  ASSERT_TRUE(adapter) << adapter.error().ToString();
  Tensor out;
  ASSERT_TRUE(adapter->Apply(Counting({3, 4, 4, 1}), out));
  EXPECT_EQ(out.shape(), (Shape{3, 16}));
  const std::byte* before = out.data();
  ASSERT_TRUE(adapter->Apply(Counting({3, 4, 4, 1}), out));
  EXPECT_EQ(out.data(), before);
}

TEST(InputAdapterTest, AMismatchNamesBothShapes) {
  const auto adapter = InputAdapter::Make(Spec({32, 32, 3}), Spec({kAnyDim, 1, 28, 28}), {});
  ASSERT_FALSE(adapter);
  EXPECT_EQ(adapter.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(adapter.error().message(), HasSubstr("[32, 32, 3]"));
  EXPECT_THAT(adapter.error().message(), HasSubstr("28"));
}

TEST(InputAdapterTest, AnAmbiguousSquareGoesByTheModelsLayout) {
  const Tensor in = Counting({1, 3, 3, 3});
  Tensor out;
  ASSERT_TRUE(InputAdapter::Make(Spec({3, 3, 3}), Spec({1, 3, 3, 3}, "NCHW"), {})->Apply(in, out));
  EXPECT_EQ(out.as<float>()[1], 3.0F);
  ASSERT_TRUE(InputAdapter::Make(Spec({3, 3, 3}), Spec({1, 3, 3, 3}, "NHWC"), {})->Apply(in, out));
  EXPECT_EQ(out.as<float>()[1], 1.0F);
}

TEST(InputAdapterTest, WrongNormalisationIsRefused) {
  InputOptions options;
  options.mean = {1, 2};
  options.stddev = {1, 2};
  EXPECT_FALSE(InputAdapter::Make(Spec({1, 1, 3}), Spec({1, 1, 1, 3}), options));
  options.mean = {1};
  options.stddev = {0};
  EXPECT_FALSE(InputAdapter::Make(Spec({1, 1, 3}), Spec({1, 1, 1, 3}), options));
}

}  // namespace
}  // namespace kenning
