// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/tensor.h"

#include <gtest/gtest.h>

#include <limits>

namespace kenning {
namespace {

TEST(TensorTest, IsAlignedAndSized) {
  Tensor tensor = Tensor::Create(DType::kInt16, {3, 5}).value();
  EXPECT_EQ(tensor.size_bytes(), 30U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % 64, 0U);
  EXPECT_EQ(tensor.as<std::int16_t>().size(), 15U);
}

TEST(TensorTest, RefusesUnknownNegativeHugeAndOverflowingShapes) {
  EXPECT_FALSE(Tensor::Create(DType::kFloat32, {kAnyDim, 3}));
  EXPECT_FALSE(Tensor::Create(DType::kFloat32, {-7}));
  EXPECT_FALSE(Tensor::Create(DType::kFloat32, {1LL << 40}));
  EXPECT_FALSE(Tensor::Create(DType::kFloat32, {std::numeric_limits<std::int64_t>::max(), 4}));
  EXPECT_FALSE(Tensor::Create(DType::kString, {1}));
}

TEST(TensorTest, CloneIsDeep) {
  Tensor tensor = Tensor::Create(DType::kUint8, {2}).value();
  tensor.as<std::uint8_t>()[0] = 7;
  const Tensor copy = tensor.Clone();
  tensor.as<std::uint8_t>()[0] = 8;
  EXPECT_EQ(copy.as<std::uint8_t>()[0], 7);
}

TEST(TensorSpecTest, ShapesWithAnyDimensionAreCompatible) {
  EXPECT_TRUE(ShapesCompatible({kAnyDim, 3}, {8, 3}));
  EXPECT_FALSE(ShapesCompatible({8, 3}, {8, 4}));
  EXPECT_FALSE(ShapesCompatible({8, 3}, {8, 3, 1}));
  EXPECT_EQ(ToString(TensorSpec{"x", DType::kFloat32, {kAnyDim, 3}, "", {}, {}, {}, {}, {}, {}}),
            "float32[-1, 3]");
}

}  // namespace
}  // namespace kenning
