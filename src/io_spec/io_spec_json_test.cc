// SPDX-License-Identifier: Apache-2.0
#include "io_spec/io_spec_json.h"

#include <gtest/gtest.h>

namespace kenning {
namespace {

TEST(IoSpecTest, RoundTrips) {
  ModelSpec spec;
  TensorSpec input;
  input.name = "x";
  input.shape = {kAnyDim, 3, 4};
  input.dtype = DType::kInt8;
  input.prequantized_dtype = DType::kFloat32;
  input.quant = QuantParams{{0.5F}, {-3}, 0};
  input.layout = "NCHW";
  input.order = 1;
  input.mean = {0.5F};
  input.stddev = {0.25F};
  TensorSpec output = input;
  output.class_names = {"a", "b"};
  output.quant = QuantParams{{0.5F, 0.25F, 0.125F}, {0, 1, 2}, 1};
  spec.inputs = {input};
  spec.processed_inputs = {input, output};
  spec.outputs = {output};
  const auto read = ModelSpecFromJson(ModelSpecToJson(spec), "m.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(*read, spec);
}

// Written by Python Kenning 0.8.2 for a TFLite model.
TEST(IoSpecTest, ReadsKenning) {
  const auto spec = ModelSpecFromJson(
      R"({"input": [{"name": "input_1", "shape": [[1, 128, 3], [1, 128, 3, 1]], "dtype": "float32"}],
          "processed_input": [{"name": "s:0", "shape": [1, 128, 3, 1], "dtype": "int8", "order": 0,
                               "scale": 0.25, "zero_point": 3, "prequantized_dtype": "float32"}],
          "output": [{"name": "o", "shape": [1, 4], "dtype": "float32",
                      "class_names": ["wing", "ring", "slope", "negative"], "order": 0}]})",
      "m.json");
  ASSERT_TRUE(spec) << spec.error().ToString();
  EXPECT_EQ(spec->inputs[0].shape, (Shape{1, 128, 3}));
  EXPECT_EQ(spec->processed_inputs[0].quant->zero_point[0], 3);
  EXPECT_EQ(spec->outputs[0].class_names.size(), 4U);
  EXPECT_EQ(spec->engine_outputs().size(), 1U);
}

TEST(IoSpecTest, NullStandsForAnyDimension) {
  const auto spec = ModelSpecFromJson(
      R"({"input": [{"shape": [null, 3], "dtype": "float32"}], "output": []})", "m.json");
  ASSERT_TRUE(spec) << spec.error().ToString();
  EXPECT_EQ(spec->inputs[0].shape, (Shape{kAnyDim, 3}));
}

TEST(IoSpecTest, BrokenFilesAreNamedErrors) {
  for (
      const char* text :
      {"", "[]", "{}", R"({"input": 3, "output": []})", R"({"input": []})",
       R"({"input": [{"shape": [1]}], "output": []})",
       R"({"input": [{"dtype": "float32"}], "output": []})",
       R"({"input": [{"shape": [1], "dtype": "float33"}], "output": []})",
       R"({"input": [{"shape": [-7], "dtype": "float32"}], "output": []})",
       R"({"input": [{"shape": ["a"], "dtype": "float32"}], "output": []})",
       R"({"input": [{"shape": [1], "dtype": "int8", "scale": [1, 2], "zero_point": 0}], "output": []})"}) {
    const auto spec = ModelSpecFromJson(text, "m.json");
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code(), ErrorCode::kInvalidData);
    EXPECT_NE(spec.error().message().find("m.json"), std::string::npos);
  }
}

}  // namespace
}  // namespace kenning
