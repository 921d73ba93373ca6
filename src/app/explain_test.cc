// SPDX-License-Identifier: Apache-2.0
#include "app/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kenning {
namespace {

using testing::HasSubstr;
using testing::Not;

CpuPeaks Peaks() {
  CpuPeaks peaks;
  peaks.float32_macs_per_s = 1e9;
  peaks.int8_macs_per_s = 4e9;
  peaks.float32_kernel = "AVX2 FMA";
  peaks.int8_kernel = "AVX VNNI";
  peaks.memory = {{1 << 20, 1e12}};
  return peaks;
}

OperatorInfo Info(std::string name, std::string type, DType dtype, std::uint64_t macs) {
  return {.name = name,
          .op_type = std::move(type),
          .dtype = dtype,
          .macs = macs,
          .weight_bytes = 100,
          .activation_bytes = 100,
          .inputs = {},
          .outputs = {name + "_out"}};
}

OperatorProfile Ran(std::string name, std::string type, std::string dtype, std::int64_t us) {
  return {.name = std::move(name),
          .op_type = std::move(type),
          .total_ns = us * 1000,
          .calls = 1,
          .dtype = std::move(dtype)};
}

/// 100 µs: int8 convolutions at half of their roofline, one left in float, two conversions.
Explanation Mixed() {
  GraphInfo graph;
  graph.operators = {Info("a", "Conv", DType::kInt8, 80'000),
                     Info("b", "Conv", DType::kFloat32, 20'000)};
  Explanation all;
  all.peaks = Peaks();
  all.platform.architecture = "x86_64";
  all.int8 = DescribeInt8Support("x86_64", {"avx2", "avx_vnni"});
  all.model.path = "int8.x";
  all.model.runtime = "TestRuntime";
  all.model.latency = {10, 110e-6, 100e-6, 130e-6, 100e-6};
  all.model.bound = BoundOf(graph, all.peaks);
  all.model.operators =
      CostsOf({Ran("a_token_7", "QLinearConv", "int8", 40), Ran("b", "Conv", "float32", 40),
               Ran("q", "QuantizeLinear", "float32", 8), Ran("d", "DequantizeLinear", "uint8", 7)},
              1, &graph, all.peaks);
  all.model.profiled = true;
  return all;
}

TEST(ExplainTest, KindsOfOperators) {
  for (const char* type :
       {"Conv", "QLinearConv", "DEPTHWISE_CONV_2D", "QGemm", "FULLY_CONNECTED",
        "Fully Connected (NC, QS8, QC8W) GEMM", "GroupConvolution", "aten::linear"}) {
    EXPECT_EQ(KindOfOperator(type), OperatorKind::kMultiply) << type;
  }
  for (const char* type : {"QuantizeLinear", "DEQUANTIZE", "Convert", "Cast"}) {
    EXPECT_EQ(KindOfOperator(type), OperatorKind::kConversion) << type;
  }
  EXPECT_EQ(KindOfOperator("Transpose"), OperatorKind::kLayout);
  EXPECT_EQ(KindOfOperator("QLinearAdd"), OperatorKind::kOther);
}

TEST(ExplainTest, BoundsAreThoseOfTheMultiplies) {
  GraphInfo graph;
  graph.operators = {Info("c", "Conv", DType::kInt8, 4'000'000),
                     Info("r", "Relu", DType::kInt8, 0)};
  const ModelBound bound = BoundOf(graph, Peaks());
  EXPECT_DOUBLE_EQ(bound.seconds, 1e-3);
  EXPECT_DOUBLE_EQ(bound.float32_seconds, 4e-3);
  EXPECT_DOUBLE_EQ(bound.int8_seconds, 1e-3);
  EXPECT_EQ(bound.int8_macs, 4'000'000U);
  EXPECT_TRUE(bound.float_multiplies.empty());
}

TEST(ExplainTest, OperatorsOfTheEngineFindThoseOfTheModel) {
  const Explanation all = Mixed();
  ASSERT_EQ(all.model.operators.size(), 4U);
  EXPECT_EQ(all.model.operators[0].name, "a_token_7");
  ASSERT_TRUE(all.model.operators[0].bound_s);
  EXPECT_DOUBLE_EQ(*all.model.operators[0].bound_s, 20e-6);
  EXPECT_EQ(all.model.operators[0].macs, 80'000U);
  EXPECT_FALSE(all.model.operators[2].bound_s);
}

TEST(ExplainTest, NumberedOperatorsArePairedByOrder) {
  GraphInfo graph;
  graph.operators = {Info("x", "CONV_2D", DType::kInt8, 100), Info("y", "ADD", DType::kInt8, 0),
                     Info("z", "FULLY_CONNECTED", DType::kInt8, 200)};
  const auto costs = CostsOf({Ran("Fully Connected #10", "Fully Connected", "int8", 9),
                              Ran("Convolution #2", "Convolution", "int8", 5)},
                             1, &graph, Peaks());
  EXPECT_EQ(costs[0].macs, 200U);
  EXPECT_EQ(costs[1].macs, 100U);
}

TEST(ExplainTest, AFusedActivationGivesItsNameToTheConvolution) {
  GraphInfo graph;
  graph.operators = {Info("c", "Conv", DType::kFloat32, 100),
                     Info("r", "Relu", DType::kFloat32, 0)};
  graph.operators[1].inputs = {"c_out"};
  const auto costs = CostsOf({Ran("r_nchwc", "Conv", "float32", 9)}, 1, &graph, Peaks());
  EXPECT_EQ(costs[0].macs, 100U);
}

TEST(ExplainTest, GroupsAddUp) {
  const auto groups = GroupCosts(CostsOf(
      {Ran("a", "Conv", "int8", 3), Ran("b", "Conv", "int8", 4), Ran("c", "Conv", "float32", 5)}, 1,
      nullptr, Peaks()));
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[0].count, 2U);
  EXPECT_DOUBLE_EQ(groups[0].seconds, 7e-6);
  EXPECT_FALSE(groups[0].bound_s);
}

TEST(ExplainTest, CausesComeWithWhatTheyCost) {
  Explanation all = Mixed();
  FindCauses(all);
  EXPECT_TRUE(all.has_int8);
  ASSERT_EQ(all.causes.size(), 3U);
  EXPECT_THAT(all.causes[0].text, HasSubstr("computed in float, though others are int8"));
  EXPECT_NEAR(all.causes[0].saved_s, 30e-6, 1e-12);
  EXPECT_THAT(all.causes[1].text, HasSubstr("2 quantize or dequantize"));
  EXPECT_NEAR(all.causes[1].saved_s, 15e-6, 1e-12);
  EXPECT_THAT(all.causes[2].text, HasSubstr("in no operator"));
  EXPECT_NEAR(all.causes[2].saved_s, 5e-6, 1e-12);
}

TEST(ExplainTest, BesideOtherWorkNoOverheadIsTold) {
  Explanation all = Mixed();
  all.model.latency.median_s = 200e-6;
  FindCauses(all);
  EXPECT_EQ(all.causes.size(), 2U);
  EXPECT_THAT(DescribeExplanation(all), HasSubstr("other work disturbed it"));
}

TEST(ExplainTest, TheBaselineSaysWhatIsWithinReach) {
  Explanation all = Mixed();
  all.baseline = all.model;
  all.baseline->latency = {10, 220e-6, 200e-6, 250e-6, 200e-6};
  GraphInfo graph;
  graph.operators = {Info("a", "Conv", DType::kFloat32, 100'000)};
  all.baseline->bound = BoundOf(graph, all.peaks);
  all.baseline->operators = CostsOf({Ran("a", "Conv", "float32", 125)}, 1, &graph, all.peaks);
  FindCauses(all);
  EXPECT_DOUBLE_EQ(*all.measured_gain, 2);
  EXPECT_DOUBLE_EQ(*all.predicted_gain, 100.0 / 40);
  const auto slow = std::ranges::find_if(all.causes, [](const Cause& cause) {
    return cause.text.find("reach 50 % of this machine's roofline, the baseline's 80 %") !=
           std::string::npos;
  });
  ASSERT_NE(slow, all.causes.end());
  EXPECT_NEAR(slow->saved_s, 40e-6 * (1 - 0.5 / 0.8), 1e-12);
}

TEST(ExplainTest, MissingInstructionsAreACause) {
  Explanation all = Mixed();
  all.int8 = DescribeInt8Support("x86_64", {"avx2"});
  FindCauses(all);
  EXPECT_TRUE(std::ranges::any_of(all.causes, [](const Cause& cause) {
    return cause.text.find("no VNNI") != std::string::npos;
  }));
}

TEST(ExplainTest, WhatTheProfilerAddsIsTakenOff) {
  Explanation all = Mixed();
  all.model.latency.quiet_s = all.model.latency.median_s = 47.5e-6;
  EXPECT_DOUBLE_EQ(all.model.profile_scale(), 0.5);
  FindCauses(all);
  EXPECT_NEAR(all.causes[0].saved_s, 15e-6, 1e-12);
}

TEST(ExplainTest, TextSaysWhatIsNotKnown) {
  Explanation all = Mixed();
  all.model.bound.reset();
  all.model.operators.clear();
  all.model.profiled = false;
  all.model.notes = {"the engine has no profiler"};
  FindCauses(all);
  const std::string text = DescribeExplanation(all);
  EXPECT_THAT(text, HasSubstr("there are no times of operators"));
  EXPECT_THAT(text, HasSubstr("note: the engine has no profiler"));
  EXPECT_THAT(text, Not(HasSubstr("% of that")));
}

TEST(ExplainTest, JsonHoldsTheFacts) {
  Explanation all = Mixed();
  FindCauses(all);
  const auto json = nlohmann::json::parse(ExplanationToJson(all));
  EXPECT_EQ(json["kind"], "kenning-explanation");
  EXPECT_EQ(json["model"]["operators"].size(), 4U);
  EXPECT_EQ(json["causes"].size(), 3U);
  EXPECT_DOUBLE_EQ(json["model"]["roofline"]["bound_s"].get<double>(), 40e-6);
  Explanation machine;
  machine.peaks = Peaks();
  EXPECT_FALSE(nlohmann::json::parse(ExplanationToJson(machine)).contains("model"));
  EXPECT_THAT(DescribeRoofline(machine), HasSubstr("AVX VNNI"));
}

}  // namespace
}  // namespace kenning
