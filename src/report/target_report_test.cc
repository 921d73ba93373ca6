// SPDX-License-Identifier: Apache-2.0
// Runs through a protocol: what the file holds, and what the report makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "report/report.h"
#include "report/run_record_io.h"
#include "report/sections.h"
#include "report/testing_record.h"

namespace kenning {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing_record::MakeRun;

constexpr std::int64_t kOffset = 5'000'000'000'000;

/// A run whose engine takes a quarter of what the host sees.
RunRecord MakeRemoteRun(const std::string& name, bool native = true) {
  RunRecord run = MakeRun(name, 1.0, 200);
  TargetRun target;
  target.protocol = "NetworkProtocol";
  target.address = "tcp://192.0.2.1:12345";
  target.native = native;
  target.platform.cpu_model = native ? "Small CPU" : "";
  target.platform.kernel = native ? "6.1.0-target" : "";
  target.agent_version = native ? "0.2.0" : "";
  target.runtime = native ? "ONNXRuntime" : "";
  for (const Observation& o : run.log.observations) {
    if (o.step != Step::kInference) continue;
    const std::int64_t length = o.end_ns - o.start_ns;
    TargetTimes times;
    if (native) {
      times.received_ns = o.start_ns + kOffset + length / 4;
      times.invoke_start_ns = times.received_ns + length / 8;
      times.invoke_end_ns = times.invoke_start_ns + length / 4;
      times.sent_ns = times.invoke_end_ns + length / 8;
    } else {
      times.process_ns = length / 2;
    }
    target.times.push_back(times);
  }
  if (native) {
    target.clock = {{run.log.started_ns, kOffset, 4'000, 8'000},
                    {run.log.ended_ns, kOffset + 100, 5'000, 10'000}};
  }
  for (int i = 0; i < 5; ++i) {
    SystemReading reading;
    reading.time_ns = run.log.started_ns + kOffset + i * 10'000'000LL;
    reading.cpu_percent = {10.0F};
    reading.memory_percent = 20.0F;
    reading.process_resident_bytes = 30'000'000;
    reading.frequency_mhz = 1400.0F + static_cast<float>(i);
    reading.temperature_c = 61.0F;
    target.system.push_back(reading);
  }
  target.optimisations = {{run.log.started_ns - 3'000'000'000, run.log.started_ns - 1'000'000'000}};
  target.statistics_json = R"({"any": ["thing"]})";
  run.target = std::move(target);
  return run;
}

TEST(TargetReportTest, RoundTripsWithoutLoss) {
  for (const bool native : {true, false}) {
    const RunRecord run = MakeRemoteRun("remote", native);
    const std::string text = RunRecordToJson(run);
    const auto read = RunRecordFromJson(text, "run.json");
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(RunRecordToJson(*read), text);
    ASSERT_TRUE(read->target);
    EXPECT_EQ(read->target->times, run.target->times);
    EXPECT_EQ(read->target->clock.size(), run.target->clock.size());
    EXPECT_EQ(read->target->system.size(), 5U);
    EXPECT_EQ(read->target->statistics_json, run.target->statistics_json);
  }
}

TEST(TargetReportTest, KenningsKeysHoldBothViews) {
  const RunRecord run = MakeRemoteRun("remote");
  const auto json = nlohmann::json::parse(RunRecordToJson(run));
  ASSERT_EQ(json["protocol_inference_step"].size(), 200U);
  ASSERT_EQ(json["target_inference_step"].size(), 200U);
  ASSERT_EQ(json["protocol_inference_step_timestamp"].size(), 200U);
  const double host = json["protocol_inference_step"][7];
  EXPECT_NEAR(json["target_inference_step"][7].get<double>(), host / 4, 1e-8);
  // On the host's clock the target's call ends before the host has its outputs.
  const double gap = json["protocol_inference_step_timestamp"][7].get<double>() -
                     json["target_inference_step_timestamp"][7].get<double>();
  EXPECT_GT(gap, 0);
  EXPECT_LT(gap, host);
  EXPECT_NEAR(json["protocol_model_optimization"][0].get<double>(), 2.0, 1e-9);
  EXPECT_EQ(json["session_utilization_mem_percent"].size(), 5U);
  EXPECT_NEAR(json["session_utilization_timestamp"][0].get<double>(), 1.0, 1e-6);
  EXPECT_EQ(json["tags"].size(), 800U) << "Kenning has no tag of a remote inference";
}

TEST(TargetReportTest, WithoutTimesOfTheTargetKenningsViewIsKept) {
  const RunRecord run = MakeRemoteRun("peer", false);
  const auto json = nlohmann::json::parse(RunRecordToJson(run));
  EXPECT_FALSE(json.contains("target_inference_step"));
  EXPECT_EQ(json["any"][0], "thing") << "the target's statistics are added";
  EXPECT_EQ(json["protocol_inference_step"].size(), 200U);
  EXPECT_NEAR(json["protocol_inference_step"][7].get<double>(),
              static_cast<double>(run.target->times[10].process_ns) * 1e-9, 1e-9);
}

TEST(TargetReportTest, ReadsPythonKenningsRemoteRun) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  const auto run =
      LoadRunRecord(std::filesystem::path(corpus) / "wire/kenning-0.8.2/measurements.json");
  ASSERT_TRUE(run) << run.error().ToString();
  ASSERT_TRUE(run->target);
  EXPECT_FALSE(run->target->native);
  EXPECT_EQ(run->target->protocol, "NetworkProtocol");
  EXPECT_EQ(run->target->optimisations.size(), 1U);
  EXPECT_EQ(run->target->times.size(), 8U);
  EXPECT_THAT(RunSummary(*run), HasSubstr("contain the transfer"));
  const auto again = RunRecordFromJson(RunRecordToJson(*run), "again.json");
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_EQ(again->target->times, run->target->times);
}

TEST(TargetReportTest, TheSectionNamesTheMachineAndShowsBothViews) {
  const std::string text = TargetSection(MakeRemoteRun("remote"));
  EXPECT_THAT(text, AllOf(HasSubstr("Small CPU"), HasSubstr("6.1.0-target"),
                          HasSubstr("tcp://192.0.2.1:12345"), HasSubstr("native mode"),
                          HasSubstr("| seen by the host | 1"), HasSubstr("75.0")));
  EXPECT_THAT(text, HasSubstr("within ±5.0"));
  EXPECT_THAT(text, HasSubstr("clock frequency | 1400 to 1404 MHz"));
  const std::string peer = TargetSection(MakeRemoteRun("peer", false));
  EXPECT_THAT(peer, AllOf(HasSubstr("Kenning's messages"), Not(HasSubstr("seen by the host"))));
  EXPECT_THAT(TargetSection(MakeRun("local", 1.0)), IsEmpty());
}

TEST(TargetReportTest, TheSummaryTellsThemApart) {
  EXPECT_THAT(RunSummary(MakeRemoteRun("remote")), HasSubstr("30.0 MB (of the session on the"));
  EXPECT_THAT(RunSummary(MakeRemoteRun("remote")),
              AllOf(HasSubstr("target             tcp://192.0.2.1:12345, native mode, Small CPU"),
                    HasSubstr("seen by the host"), HasSubstr("transfer and queue are 75")));
}

TEST(TargetReportTest, ComparisonsMarkOtherMachinesAndOtherMeanings) {
  const std::vector<RunRecord> runs = {MakeRun("local", 1.0), MakeRemoteRun("remote"),
                                       MakeRemoteRun("peer", false)};
  const auto warnings = ComparabilityWarnings(runs);
  EXPECT_THAT(warnings, Contains(HasSubstr("run \"remote\" ran on another machine (Small CPU)")));
  EXPECT_THAT(warnings, Contains(HasSubstr("times of run \"peer\" contain the transfer")));
  EXPECT_THAT(warnings, Not(Contains(HasSubstr("times of run \"remote\" contain the transfer"))));
  EXPECT_THAT(CompareRuns(runs)[1].speed, HasSubstr("4"));
}

TEST(TargetReportTest, FilesThatContradictThemselvesAreRefused) {
  const auto json = nlohmann::json::parse(RunRecordToJson(MakeRemoteRun("remote")));
  const auto refused = [&json](const char* pointer, nlohmann::json value) {
    auto changed = json;
    changed[nlohmann::json::json_pointer(pointer)] = std::move(value);
    const auto read = RunRecordFromJson(changed.dump(), "run.json");
    return !read && read.error().code() == ErrorCode::kInvalidData;
  };
  EXPECT_TRUE(refused("/kenning_cpp/target/times/invoke_ns", nlohmann::json::array({1})));
  EXPECT_TRUE(refused("/kenning_cpp/target/times/queue_ns/0", 9'000'000'000'000'000'000));
  EXPECT_TRUE(refused("/kenning_cpp/target/clock/0/offset_ns", "soon"));
  EXPECT_TRUE(refused("/kenning_cpp/target", nlohmann::json::array()));
  EXPECT_TRUE(refused("/kenning_cpp/target/system/0/temperature_c", "hot"));
}

}  // namespace
}  // namespace kenning
