// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kenning/base/file.h"

namespace kenning::tflite {
namespace {

std::string TestModel(const std::string& name) {
  return ReadFile(std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tflite/testdata" / name)
      .value();
}

const OperatorInfo* FindOperator(const GraphInfo& graph, const std::string& type) {
  for (const OperatorInfo& op : graph.operators) {
    if (op.op_type == type) return &op;
  }
  return nullptr;
}

TEST(TfliteModelFileTest, ReadsSpecAndGraph) {
  const auto model = ParseModel(TestModel("conformance.tflite"), "m");
  ASSERT_TRUE(model) << model.error().ToString();
  const ModelSpec spec = SpecOfModel(*model, "m").value();
  EXPECT_EQ(spec.inputs[0].shape, (Shape{kAnyDim, 8, 8, 3}));
  EXPECT_EQ(spec.outputs[0].shape, (Shape{kAnyDim, 4}));
  const GraphInfo graph = GraphOfModel(*model);
  const OperatorInfo* conv = FindOperator(graph, "CONV_2D");
  ASSERT_NE(conv, nullptr);
  EXPECT_EQ(conv->macs, 8U * 8 * 8 * 27);
  EXPECT_EQ(conv->dtype, DType::kFloat32);
  EXPECT_EQ(conv->weight_bytes, 4U * (8 * 27 + 8));
  EXPECT_EQ(FindOperator(graph, "DEPTHWISE_CONV_2D")->macs, 8U * 8 * 8 * 9);
  EXPECT_EQ(FindOperator(graph, "FULLY_CONNECTED")->macs, 32U);
}

TEST(TfliteModelFileTest, ReadsQuantisationPerAxis) {
  const auto model = ParseModel(TestModel("conformance_int8.tflite"), "m");
  ASSERT_TRUE(model) << model.error().ToString();
  EXPECT_EQ(SpecOfModel(*model, "m")->inputs[0].dtype, DType::kInt8);
  EXPECT_EQ(FindOperator(GraphOfModel(*model), "CONV_2D")->dtype, DType::kInt8);
  const FileSubgraph& graph = model->main();
  for (const FileOperator& op : graph.operators) {
    if (op.op_type != "DEPTHWISE_CONV_2D") continue;
    const FileTensor& weights = graph.tensors[static_cast<std::size_t>(op.inputs[1])];
    ASSERT_TRUE(weights.quant);
    EXPECT_EQ(weights.quant->axis, 3);
    EXPECT_EQ(weights.quant->scale.size(), 8U);
    return;
  }
  FAIL() << "no depthwise convolution";
}

TEST(TfliteModelFileTest, EveryTruncationIsAnError) {
  const std::string good = TestModel("conformance.tflite");
  for (std::size_t size = 0; size < good.size(); size += 7) {
    const auto model = ParseModel(std::string_view(good).substr(0, size), "cut.tflite");
    if (model) continue;  // Only unused bytes at the end are gone.
    EXPECT_EQ(model.error().code(), ErrorCode::kInvalidModel);
    EXPECT_NE(model.error().message().find("cut.tflite"), std::string::npos);
  }
  EXPECT_FALSE(ParseModel(std::string_view(good).substr(0, good.size() / 2), "m"));
}

TEST(TfliteModelFileTest, LargeNumbersInPlaceOfOffsetsAreHarmless) {
  const std::string good = TestModel("conformance_int8.tflite");
  for (std::size_t at = 0; at + 4 <= good.size(); at += 4) {
    for (const std::uint32_t value : {0U, 1U, 0x7fffffffU, 0xffffffffU, 0x80000000U}) {
      std::string bytes = good;
      std::memcpy(bytes.data() + at, &value, sizeof(value));
      const auto model = ParseModel(bytes, "m");
      if (!model) continue;
      GraphOfModel(*model);
      static_cast<void>(SpecOfModel(*model, "m").has_value());
    }
  }
}

TEST(TfliteModelFileTest, AllOutputsIsAModelAgain) {
  const std::string good = TestModel("conformance.tflite");
  const ModelFile model = ParseModel(good, "m").value();
  std::vector<std::int32_t> tensors;
  const std::string changed = WithAllOutputs(model, good, tensors);
  const auto again = ParseModel(changed, "m");
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_GE(tensors.size(), 5U);
  EXPECT_EQ(again->main().outputs.size(), model.main().outputs.size() + tensors.size());
}

}  // namespace
}  // namespace kenning::tflite
