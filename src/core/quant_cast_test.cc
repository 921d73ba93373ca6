// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/quant_cast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kenning {
namespace {

using testing::ElementsAre;

Tensor FloatTensor(Shape shape, const std::vector<float>& values) {
  Tensor tensor = Tensor::Create(DType::kFloat32, std::move(shape)).value();
  std::copy(values.begin(), values.end(), tensor.as<float>().begin());
  return tensor;
}

TEST(QuantCastTest, RoundsHalvesToEvenSaturatesAndMapsNanToTheZeroPoint) {
  const Tensor from = FloatTensor({7}, {0.5F, 1.5F, 2.5F, -0.5F, 1e9F, -1e9F, std::nanf("")});
  Tensor to = Tensor::Create(DType::kInt8, {7}).value();
  const QuantParams quant{{1.0F}, {3}, 0};
  ASSERT_TRUE(CastTensor(from.view(), {}, to.mutable_view(), quant));
  EXPECT_THAT(to.as<std::int8_t>(), ElementsAre(3, 5, 5, 3, 127, -128, 3));
}

TEST(QuantCastTest, RoundTripStaysWithinHalfAStep) {
  std::vector<float> values;
  for (int i = -100; i <= 100; ++i) values.push_back(static_cast<float>(i) * 0.0123F);
  const Tensor from = FloatTensor({201}, values);
  Tensor quantised = Tensor::Create(DType::kUint8, {201}).value();
  Tensor back = Tensor::Create(DType::kFloat32, {201}).value();
  const QuantParams quant{{0.01F}, {128}, 0};
  ASSERT_TRUE(CastTensor(from.view(), {}, quantised.mutable_view(), quant));
  ASSERT_TRUE(CastTensor(quantised.view(), quant, back.mutable_view(), {}));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float clamped = std::clamp(values[i], -1.28F, 1.27F);
    EXPECT_NEAR(back.as<float>()[i], clamped, 0.005F + 1e-6F);
  }
}

TEST(QuantCastTest, PerChannelUsesItsAxis) {
  const Tensor from = FloatTensor({2, 2, 2}, {1, 1, 1, 1, 1, 1, 1, 1});
  Tensor to = Tensor::Create(DType::kInt8, {2, 2, 2}).value();
  const QuantParams quant{{0.5F, 0.25F}, {0, 1}, 1};
  ASSERT_TRUE(CastTensor(from.view(), {}, to.mutable_view(), quant));
  EXPECT_THAT(to.as<std::int8_t>(), ElementsAre(2, 2, 5, 5, 2, 2, 5, 5));
}

TEST(QuantCastTest, RefusesWhatDoesNotFit) {
  const Tensor from = FloatTensor({2}, {1, 2});
  Tensor small = Tensor::Create(DType::kInt8, {1}).value();
  EXPECT_FALSE(CastTensor(from.view(), {}, small.mutable_view(), {}));
  Tensor to = Tensor::Create(DType::kInt8, {2}).value();
  EXPECT_FALSE(CastTensor(from.view(), {}, to.mutable_view(), QuantParams{{0.0F}, {0}, 0}));
  EXPECT_FALSE(
      CastTensor(from.view(), {}, to.mutable_view(), QuantParams{{1, 2, 3}, {0, 0, 0}, 0}));
  Tensor other = Tensor::Create(DType::kUint64, {2}).value();
  EXPECT_FALSE(CastTensor(from.view(), {}, other.mutable_view(), {}));
}

}  // namespace
}  // namespace kenning
