// SPDX-License-Identifier: Apache-2.0
#include "onnx_import.h"

#include <gtest/gtest.h>

namespace kenning::ort {
namespace {

TensorSpec Int8(std::string name) {
  return {.name = std::move(name),
          .dtype = DType::kInt8,
          .shape = {1, 2},
          .quant = QuantParams{{0.5F}, {3}, 0},
          .prequantized_dtype = DType::kFloat32};
}

TensorSpec Plain(std::string name, DType dtype) {
  return {.name = std::move(name), .dtype = dtype, .shape = {1, 2}};
}

TEST(CarrySpecTest, QuantisationAndClassesGoByPosition) {
  ModelSpec original;
  original.inputs = {Int8("x")};
  original.inputs[0].layout = "NHWC";
  original.outputs = {Plain("y", DType::kFloat32)};
  original.outputs[0].class_names = {"a", "b"};
  ModelSpec converted;
  converted.inputs = {Plain("other", DType::kInt8)};
  converted.outputs = {Plain("y", DType::kFloat32)};
  const ModelSpec carried = CarrySpec(original, converted);
  EXPECT_EQ(carried.inputs[0].name, "other");
  EXPECT_EQ(carried.inputs[0].quant, original.inputs[0].quant);
  EXPECT_EQ(carried.inputs[0].layout, "NHWC");
  EXPECT_EQ(carried.outputs[0].class_names, original.outputs[0].class_names);
  EXPECT_TRUE(carried.processed_inputs.empty());
}

TEST(CarrySpecTest, WhatTheDatasetSideGivesStaysApart) {
  ModelSpec original;
  original.inputs = {Plain("x", DType::kFloat32)};
  original.processed_inputs = {Int8("x_int8")};
  original.outputs = {Plain("y", DType::kFloat32)};
  ModelSpec converted;
  converted.inputs = {Plain("x_int8", DType::kInt8)};
  converted.outputs = {Plain("y", DType::kFloat32)};
  const ModelSpec carried = CarrySpec(original, converted);
  EXPECT_EQ(carried.inputs, original.inputs);
  ASSERT_EQ(carried.processed_inputs.size(), 1U);
  EXPECT_EQ(carried.processed_inputs[0].name, "x_int8");
  EXPECT_EQ(carried.processed_inputs[0].quant, original.processed_inputs[0].quant);
}

TEST(CarrySpecTest, AFloatInputTakesNoQuantisation) {
  ModelSpec original;
  original.inputs = {Int8("x")};
  original.outputs = {Plain("y", DType::kFloat32)};
  ModelSpec converted;
  converted.inputs = {Plain("x", DType::kFloat32)};
  converted.outputs = {Plain("y", DType::kFloat32), Plain("z", DType::kFloat32)};
  const ModelSpec carried = CarrySpec(original, converted);
  EXPECT_FALSE(carried.inputs[0].quant);
  EXPECT_EQ(carried.outputs, converted.outputs);
}

}  // namespace
}  // namespace kenning::ort
