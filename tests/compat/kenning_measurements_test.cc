// SPDX-License-Identifier: Apache-2.0
// Our measurements file beside Kenning's: every key of its own with the type it has there, and its
// files read by us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "report/run_record_io.h"
#include "sample_record.h"

namespace kenning {
namespace {

using nlohmann::json;
using testing::ElementsAre;

/// "string", "number", or for arrays the kind of their first element: "array of array of number".
std::string KindOf(const json& value) {
  if (value.is_number()) return "number";
  if (!value.is_array() || value.empty()) return value.type_name();
  return "array of " + KindOf(value[0]);
}

/// Keys of a local run of Kenning 0.8.2 and their kinds.
const std::map<std::string, std::string>& KenningKeys() {
  static const std::map<std::string, std::string> kKeys = {
      {"tags", "array of object"},
      {"input_preprocess_step", "array of number"},
      {"input_preprocess_step_timestamp", "array of number"},
      {"target_inference_step", "array of number"},
      {"target_inference_step_timestamp", "array of number"},
      {"output_postprocess_step", "array of number"},
      {"output_postprocess_step_timestamp", "array of number"},
      {"session_utilization_cpus_percent", "array of array of number"},
      {"session_utilization_mem_percent", "array of number"},
      {"session_utilization_timestamp", "array of number"},
      {"eval_confusion_matrix", "array of array of number"},
      {"total", "number"},
      {"top_5_count", "number"},
      {"optimizers", "array of object"},
      {"command", "array of string"},
      {"build_cfg", "object"},
      {"cfg_path", "string"},
      {"model_framework", "string"},
      {"model_version", "string"},
      {"class_names", "array of string"},
      {"compiled_model_size", "number"}};
  return kKeys;
}

TEST(KenningKeysTest, OurFileHasThemAll) {
  const json ours = json::parse(RunRecordToJson(MakeSampleRecord(50)));
  for (const auto& [key, kind] : KenningKeys()) {
    ASSERT_TRUE(ours.contains(key)) << key;
    EXPECT_EQ(KindOf(ours[key]), kind) << key;
  }
  EXPECT_EQ(ours["model_framework"], "onnx");
  EXPECT_EQ(ours["model_version"], "1.19");
  EXPECT_EQ(ours["compiled_model_size"], 114'317.0);
  EXPECT_EQ(ours["optimizers"][0]["compiler_framework"], "onnx");
  EXPECT_EQ(ours["optimizers"][0]["compiler_version"], "0.1.0");
  EXPECT_EQ(ours["kenning_cpp"]["format_version"], 1);
}

TEST(KenningKeysTest, SecondsAreOfTheMeasuredInvokesAndEndAtTheirTimestamps) {
  const RunRecord record = MakeSampleRecord(50);
  const json ours = json::parse(RunRecordToJson(record));
  ASSERT_EQ(ours["target_inference_step"].size(), 50U);
  ASSERT_EQ(ours["tags"].size(), 250U);
  // The first measured invoke follows two of four observations each.
  const Observation& first = record.log.observations[8 + 2];
  ASSERT_EQ(first.step, Step::kInference);
  EXPECT_NEAR(ours["target_inference_step"][0].get<double>(),
              static_cast<double>(first.end_ns - first.start_ns) * 1e-9, 1e-9);
  EXPECT_NEAR(ours["target_inference_step_timestamp"][0].get<double>(),
              static_cast<double>(first.end_ns) * 1e-9, 1e-6);
  for (const json& tag : ours["tags"]) {
    EXPECT_LE(tag.at("start").get<double>(), tag.at("end").get<double>());
  }
  std::vector<std::string> names;
  for (std::size_t i = 0; i < 5; ++i) names.push_back(ours["tags"][i]["name"]);
  EXPECT_THAT(names, ElementsAre("preprocess", "preprocessing", "inference", "postprocess",
                                 "postprocessing"));
}

TEST(KenningKeysTest, ARunWithoutTruthHasNoEvaluationAsInKenning) {
  RunRecord record = MakeSampleRecord(50);
  record.evaluation.reset();
  const json ours = json::parse(RunRecordToJson(record));
  EXPECT_FALSE(ours.contains("eval_confusion_matrix"));
  EXPECT_FALSE(ours.contains("total"));
}

TEST(RoundTripTest, NothingIsLost) {
  const RunRecord record = MakeSampleRecord(200);
  const std::string text = RunRecordToJson(record);
  const Result<RunRecord> read = RunRecordFromJson(text, "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(RunRecordToJson(*read), text);
  EXPECT_EQ(read->artifact.spec, record.artifact.spec);
  EXPECT_EQ(read->artifact.provenance[0].duration_s, record.artifact.provenance[0].duration_s);
  EXPECT_EQ(read->command, record.command);
  EXPECT_EQ(read->environment.platform.extra, record.environment.platform.extra);
  EXPECT_EQ(read->evaluation->predicted, record.evaluation->predicted);
  ASSERT_EQ(read->log.observations.size(), record.log.observations.size());
  for (std::size_t i = 0; i < record.log.observations.size(); ++i) {
    EXPECT_EQ(read->log.observations[i].start_ns, record.log.observations[i].start_ns);
    EXPECT_EQ(read->log.observations[i].end_ns, record.log.observations[i].end_ns);
    EXPECT_EQ(read->log.observations[i].phase, record.log.observations[i].phase);
  }
  ASSERT_EQ(read->log.system.size(), 3U);
  EXPECT_EQ(read->log.system[2].cpu_percent, record.log.system[2].cpu_percent);
  EXPECT_EQ(read->log.system[2].temperature_c, record.log.system[2].temperature_c);
  EXPECT_EQ(read->profile[0].total_ns, record.profile[0].total_ns);
}

TEST(RoundTripTest, APartialRunWithoutEvaluationStaysOne) {
  RunRecord record = MakeSampleRecord(5);
  record.log.complete = false;
  record.evaluation.reset();
  record.log.system.clear();
  const Result<RunRecord> read = RunRecordFromJson(RunRecordToJson(record), "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_FALSE(read->log.complete);
  EXPECT_FALSE(read->evaluation);
}

TEST(RoundTripTest, WhatIsNotANumberIsNullAndComesBack) {
  RunRecord record = MakeSampleRecord(5);
  record.log.system[0].temperature_c = std::numeric_limits<float>::quiet_NaN();
  record.log.system[1].cpu_percent[0] = std::numeric_limits<float>::infinity();
  const std::string text = RunRecordToJson(record);
  EXPECT_TRUE(json::accept(text));
  const Result<RunRecord> read = RunRecordFromJson(text, "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_TRUE(std::isnan(read->log.system[0].temperature_c));
}

TEST(RoundTripTest, BytesThatAreNoTextDoNotBreakTheFile) {
  RunRecord record = MakeSampleRecord(3);
  record.evaluation->class_names[0] = "\xff\xfe\x01\"\n|";
  record.command = {"kenning", "\xc3"};
  const Result<RunRecord> read = RunRecordFromJson(RunRecordToJson(record), "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_THAT(read->evaluation->class_names[0], testing::HasSubstr("\x01\"\n|"));
}

TEST(WeightTest, TenThousandSamplesAreWrittenAtOnce) {
  const RunRecord record = MakeSampleRecord(10'000);
  const std::int64_t before = MonotonicNowNs();
  const std::string text = RunRecordToJson(record);
  const double seconds = static_cast<double>(MonotonicNowNs() - before) * 1e-9;
  RecordProperty("milliseconds", static_cast<int>(seconds * 1e3));
  // The bar is 0.1 s in a release build; sanitizers and loaded machines get a margin.
  EXPECT_LT(seconds, 3.0);
  EXPECT_LT(text.size(), 10'000'000U);
}

json LocalRunOfKenning() {
  const std::filesystem::path path =
      std::filesystem::path(KENNING_SOURCE_DIR) / "tests/compat/testdata/kenning_local.json";
  const Result<std::string> text = ReadFile(path);
  return text ? json::parse(*text) : json();
}

TEST(ReadKenningTest, ALocalRun) {
  const Result<RunRecord> read = RunRecordFromJson(LocalRunOfKenning().dump(), "peer.json");
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_TRUE(read->evaluation);
  EXPECT_EQ(read->evaluation->total, 4U);
  EXPECT_THAT(read->evaluation->class_names, ElementsAre("wing", "ring"));
  EXPECT_EQ(read->evaluation->confusion[1][0], 1U);
  EXPECT_EQ(read->artifact.size_bytes, 20'616U);
  ASSERT_EQ(read->artifact.provenance.size(), 1U);
  EXPECT_EQ(read->artifact.provenance[0].framework, "tflite");
  std::vector<std::int64_t> inference;
  for (const Observation& observation : read->log.observations) {
    if (observation.step == Step::kInference) {
      inference.push_back(observation.end_ns - observation.start_ns);
    }
  }
  EXPECT_THAT(inference, ElementsAre(14'000, 12'500, 12'000, 13'000));
  ASSERT_EQ(read->log.system.size(), 1U);
  EXPECT_THAT(read->log.system[0].cpu_percent, ElementsAre(50.0F, 25.5F));
  // What is read can be written, and is read again.
  EXPECT_TRUE(RunRecordFromJson(RunRecordToJson(*read), "ours.json"));
}

TEST(ReadKenningTest, ARunWithoutEvaluation) {
  json file = LocalRunOfKenning();
  file.erase("eval_confusion_matrix");
  file.erase("total");
  const Result<RunRecord> read = RunRecordFromJson(file.dump(), "peer.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_FALSE(read->evaluation);
}

TEST(ReadKenningTest, ARecordedRunOfKenning) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  const std::filesystem::path path =
      std::filesystem::path(corpus) / "wire/kenning-0.8.2/measurements.json";
  const Result<RunRecord> read = LoadRunRecord(path);
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->name, "measurements");
  ASSERT_TRUE(read->evaluation);
  EXPECT_EQ(read->evaluation->total, 8U);
  EXPECT_EQ(read->log.system.size(), 2U);
  // Every kind of its keys is the kind that we write.
  const json peer = json::parse(*ReadFile(path));
  for (const auto& [key, kind] : KenningKeys()) {
    if (!peer.contains(key)) continue;
    EXPECT_EQ(KindOf(peer[key]), kind) << key;
  }
}

}  // namespace
}  // namespace kenning
