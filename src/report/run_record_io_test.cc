// SPDX-License-Identifier: Apache-2.0
#include "report/run_record_io.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "report/testing_record.h"

namespace kenning {
namespace {

using testing_record::MakeRun;

TEST(RunRecordIoTest, RoundTripsWithoutLoss) {
  RunRecord run = MakeRun("int8", 0.5);
  run.log.complete = false;
  run.environment.warnings = {"loaded"};
  const std::string json = RunRecordToJson(run);
  const auto read = RunRecordFromJson(json, "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(RunRecordToJson(*read), json);
  EXPECT_EQ(read->artifact.spec, run.artifact.spec);
  EXPECT_EQ(read->log.observations.size(), run.log.observations.size());
  EXPECT_EQ(read->log.observations[17].end_ns, run.log.observations[17].end_ns);
  EXPECT_EQ(read->evaluation->predicted, run.evaluation->predicted);
  EXPECT_FALSE(read->log.complete);
}

TEST(RunRecordIoTest, SensorsRoundTripAndGiveKenningsGpuKeys) {
  RunRecord run = MakeRun("int8", 0.5, 10);
  EXPECT_FALSE(
      nlohmann::json::parse(RunRecordToJson(run)).contains("session_utilization_gpu_utilization"));
  testing_record::AddSensors(run);
  const std::string text = RunRecordToJson(run);
  const auto read = RunRecordFromJson(text, "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(RunRecordToJson(*read), text);
  EXPECT_EQ(read->log.sensors, run.log.sensors);
  EXPECT_EQ(read->log.system[3].values[0], 6);
  auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["session_utilization_gpu_utilization"].size(), 30U);
  EXPECT_EQ(json["session_utilization_gpu_mem_utilization"][0], 12.5);
  EXPECT_EQ(json["session_utilization_gpu_timestamp"][0], 1.0);
  json["kenning_cpp"]["log"]["system"][0]["values"].push_back(1);
  EXPECT_FALSE(RunRecordFromJson(json.dump(), "run.json"));
  json = nlohmann::json::parse(text);
  json["kenning_cpp"]["log"]["sensors"][0]["kind"] = "smell";
  EXPECT_FALSE(RunRecordFromJson(json.dump(), "run.json"));
}

// Every key of Kenning's measurements file that a local classification run has.
TEST(RunRecordIoTest, HasEveryKeyOfKenning) {
  const auto json = nlohmann::json::parse(RunRecordToJson(MakeRun("run", 1.0)));
  for (const char* key : {"tags",
                          "input_preprocess_step",
                          "input_preprocess_step_timestamp",
                          "target_inference_step",
                          "target_inference_step_timestamp",
                          "output_postprocess_step",
                          "output_postprocess_step_timestamp",
                          "session_utilization_cpus_percent",
                          "session_utilization_mem_percent",
                          "session_utilization_timestamp",
                          "eval_confusion_matrix",
                          "total",
                          "optimizers",
                          "command",
                          "build_cfg",
                          "cfg_path",
                          "model_framework",
                          "model_version",
                          "class_names",
                          "compiled_model_size",
                          "top_5_count"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_EQ(json["target_inference_step"].size(), 1000U);
  EXPECT_EQ(json["tags"].size(), 5000U);
  EXPECT_TRUE(json["eval_confusion_matrix"][0][0].is_number_float());
  EXPECT_EQ(json["optimizers"][0]["compiler_framework"], "kenning");
  // Warm-up is no part of Kenning's series.
  EXPECT_NEAR(json["target_inference_step"][1].get<double>(), 1e-3, 2e-4);
}

TEST(RunRecordIoTest, ReadsPythonKenning) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  const auto run =
      LoadRunRecord(std::filesystem::path(corpus) / "wire/kenning-0.8.2/measurements.json");
  ASSERT_TRUE(run) << run.error().ToString();
  EXPECT_EQ(run->evaluation->total, 8U);
  EXPECT_EQ(run->evaluation->class_names[0], "wing");
  EXPECT_EQ(run->artifact.size_bytes, 20616U);
  EXPECT_EQ(run->log.system.size(), 2U);
}

TEST(RunRecordIoTest, BrokenFilesAreInvalidDataThatNamesTheFile) {
  const std::string good = RunRecordToJson(MakeRun("run", 1.0, 20));
  auto newer = nlohmann::json::parse(good);
  newer["kenning_cpp"]["format_version"] = 99;
  auto wrong_type = nlohmann::json::parse(good);
  wrong_type["kenning_cpp"]["log"]["observations"]["step"][3] = "x";
  auto ragged = nlohmann::json::parse(good);
  ragged["kenning_cpp"]["log"]["observations"]["duration_ns"].erase(0);
  auto no_class = nlohmann::json::parse(good);
  no_class["kenning_cpp"]["evaluation"]["truth"][0] = 77;
  auto not_square = nlohmann::json::parse(good);
  not_square["kenning_cpp"]["evaluation"]["confusion"][0].erase(0);
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"),
        good.substr(0, good.size() / 2), newer.dump(), wrong_type.dump(), ragged.dump(),
        no_class.dump(), not_square.dump(), std::string(R"({"eval_confusion_matrix": [[1e300]]})"),
        std::string(R"({"eval_confusion_matrix": "x"})"), std::string(5000, '[')}) {
    const auto read = RunRecordFromJson(text, "run.json");
    ASSERT_FALSE(read) << text.substr(0, 80);
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData);
    EXPECT_NE(read.error().message().find("run.json"), std::string::npos);
  }
  EXPECT_NE(RunRecordFromJson(newer.dump(), "run.json").error().message().find("99"),
            std::string::npos);
}

TEST(RunRecordIoTest, NamesThatAreNotUtf8AreWrittenAllTheSame) {
  RunRecord run = MakeRun("run", 1.0, 5);
  run.evaluation->class_names[0] = "\xff\xfe";
  EXPECT_TRUE(RunRecordFromJson(RunRecordToJson(run), "run.json"));
}

// Each object of a list once cost a scan of the whole list: minutes for a long run.
TEST(RunRecordIoTest, LongRunsAreReadInProportionToTheirLength) {
  const auto seconds_for = [](int samples) {
    const std::string json = RunRecordToJson(MakeRun("long", 1.0, samples));
    const std::int64_t begin = MonotonicNowNs();
    EXPECT_TRUE(RunRecordFromJson(json, "run.json"));
    return static_cast<double>(MonotonicNowNs() - begin) * 1e-9;
  };
  const double one = seconds_for(5'000);
  EXPECT_LT(seconds_for(40'000), 24 * one + 1);
}

TEST(RunRecordIoTest, DeepNestingIsRefusedAndBracketsInTextAreNot) {
  const auto nested = [](int levels) {
    return R"({"kenning_cpp":)" + std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']') + "}";
  };
  EXPECT_EQ(RunRecordFromJson(nested(63), "x").error().message().find("nested"), std::string::npos);
  EXPECT_NE(RunRecordFromJson(nested(64), "x").error().message().find("nested deeper than 64"),
            std::string::npos);
  EXPECT_FALSE(RunRecordFromJson(nested(1'000'000), "x"));
  RunRecord run = MakeRun("brackets \"\\" + std::string(200, '['), 1.0, 5);
  const auto read = RunRecordFromJson(RunRecordToJson(run), "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->name, run.name);
}

}  // namespace
}  // namespace kenning
