// SPDX-License-Identifier: Apache-2.0
#include "app/target_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace kenning {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

TEST(TargetFactsTest, WhatATargetSaysOfItselfIsTakenAsFarAsItMakesSense) {
  for (const char* odd : {"", "no JSON", "[]", "3", R"({"cpu": 7, "kernel": {}})",
                          R"({"cpu": {"model": null, "cores": -1, "features": "neon"}})",
                          R"({"cpu": {"cores": 99999999999}, "memory_bytes": 1.5})"}) {
    const PlatformInfo platform = PlatformFromHello(odd);
    EXPECT_EQ(platform.cpu_model, "") << odd;
    EXPECT_EQ(platform.logical_cores, 0U) << odd;
    EXPECT_THAT(platform.features, IsEmpty()) << odd;
  }
  std::string deep(100'000, '[');
  EXPECT_EQ(PlatformFromHello(R"({"cpu": )" + deep).cpu_model, "");
  const std::string longest(10'000, 'x');
  EXPECT_THAT(PlatformFromHello(R"({"kernel": ")" + longest + "\"}").kernel, SizeIs(512));
}

TEST(TargetFactsTest, KenningsStatisticsAreCheckedColumnByColumn) {
  TargetRun run;
  ASSERT_TRUE(ReadStatistics("{}", run)) << "Kenning's server says so before anything ran";
  EXPECT_THAT(run.system, IsEmpty());
  ASSERT_TRUE(ReadStatistics(
      R"({"session_utilization_timestamp": [1, 2.5], "session_utilization_cpus_percent": [[1], []],
          "session_utilization_mem_percent": [10, 11], "more": "of it"})",
      run));
  ASSERT_THAT(run.system, SizeIs(2));
  EXPECT_EQ(run.system[1].time_ns, 2'500'000'000);
  for (const char* wrong :
       {"[]", "{", R"({"session_utilization_timestamp": 3})",
        R"({"session_utilization_timestamp": [1], "session_utilization_cpus_percent": [],
            "session_utilization_mem_percent": []})",
        R"({"session_utilization_timestamp": ["now"], "session_utilization_cpus_percent": [[1]],
            "session_utilization_mem_percent": [1]})",
        R"({"session_utilization_timestamp": [1e300], "session_utilization_cpus_percent": [[1]],
            "session_utilization_mem_percent": [1]})",
        R"({"session_utilization_timestamp": [1], "session_utilization_cpus_percent": [["a"]],
            "session_utilization_mem_percent": [1]})",
        R"({"session_utilization_timestamp": [1], "session_utilization_cpus_percent": [[1]],
            "session_utilization_mem_percent": [null]})"}) {
    const auto read = ReadStatistics(wrong, run);
    ASSERT_FALSE(read) << wrong;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData) << wrong;
  }
}

TEST(TargetFactsTest, ParametersAreSentThatAreNotAsByDefaultAndNameNoFile) {
  BlockInfo info;
  info.name = "SomeRuntime";
  info.schema.params = {
      {.name = "threads", .type = ParamType::kInt, .default_value = ParamValue{std::int64_t{1}}},
      {.name = "mode", .type = ParamType::kString, .default_value = ParamValue{std::string("a")}},
      {.name = "library", .type = ParamType::kPath, .nullable = true},
      {.name = "save_model_path", .type = ParamType::kUri, .nullable = true},
      {.name = "names", .type = ParamType::kStringList}};
  const ScenarioBlock block{.info = &info,
                            .params = Params({{"threads", std::int64_t{1}},
                                              {"mode", std::string("b")},
                                              {"library", std::string("/lib/x.so")},
                                              {"save_model_path", std::string("m.onnx")},
                                              {"names", std::vector<std::string>{"x", "y"}}})};
  EXPECT_EQ(nlohmann::json::parse(ParametersForTarget(block)),
            nlohmann::json::parse(R"({"mode": "b", "names": ["x", "y"]})"));
}

}  // namespace
}  // namespace kenning
