// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "measure/load_pattern.h"
#include "report/load_text.h"
#include "report/report.h"
#include "report/run_record_io.h"
#include "report/sections.h"
#include "report/testing_record.h"

namespace kenning {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

RunRecord LoadRecord(LoadPattern pattern, int queries, int slow) {
  RunRecord run = testing_record::MakeRun("load", 1.0, 100);
  run.evaluation.reset();
  LoadRun load;
  load.settings = DefaultLoadSettings(pattern);
  load.settings.min_duration_s = 0.1;
  load.settings.latency_bound_ns = 10'000'000;
  load.settings.rate_qps = pattern == LoadPattern::kServer ? 1000 : 0;
  load.pool_samples = 64;
  for (int i = 0; i < queries; ++i) {
    const std::int64_t due = run.log.started_ns + i * 1'000'000LL;
    load.queries.push_back({due, due + 5'000, due + (i < slow ? 30'000'000 : 2'000'000)});
  }
  run.load = load;
  return run;
}

TEST(LoadReportTest, RoundTrips) {
  RunRecord run = LoadRecord(LoadPattern::kFindPeak, 2000, 3);
  run.load->trials = {{100, 0, 1000, false}, {90.5, 1000, 1000, true}};
  run.load->queries[5].completed_ns = 0;
  const std::string text = RunRecordToJson(run);
  const auto read = RunRecordFromJson(text, "run.json");
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(RunRecordToJson(*read), text);
  ASSERT_TRUE(read->load);
  EXPECT_EQ(read->load->settings, run.load->settings);
  EXPECT_EQ(read->load->queries[7].issued_ns, run.load->queries[7].issued_ns);
  EXPECT_EQ(read->load->queries[5].completed_ns, 0);
  EXPECT_EQ(read->load->trials[1].rate_qps, 90.5);
  EXPECT_TRUE(read->load->trials[1].confirms);
  EXPECT_FALSE(
      json::parse(RunRecordToJson(testing_record::MakeRun("x", 1)))["kenning_cpp"].contains(
          "load"));
}

TEST(LoadReportTest, ContradictionsAreRefused) {
  RunRecord run = LoadRecord(LoadPattern::kFindPeak, 10, 0);
  run.load->trials = {{100, 0, 10, false}};
  const json good = json::parse(RunRecordToJson(run));
  for (const auto& [pointer, value] :
       std::vector<std::pair<const char*, json>>{{"/settings/pattern", "rush-hour"},
                                                 {"/settings/percentile", 1},
                                                 {"/settings/confidence", nullptr},
                                                 {"/settings/rate_qps", -1},
                                                 {"/queries/delay_ns", json::array()},
                                                 {"/queries/latency_ns/0", -2},
                                                 {"/queries/latency_ns/0", 1.5},
                                                 {"/trials/0/first_query", 11},
                                                 {"/trials/0/queries", 11}}) {
    json bad = good;
    bad["kenning_cpp"]["load"][json::json_pointer(pointer)] = value;
    EXPECT_FALSE(RunRecordFromJson(bad.dump(), "run.json")) << pointer;
  }
}

TEST(LoadReportTest, TheReportBeginsWithTheVerdict) {
  const std::string valid = LoadSection(LoadRecord(LoadPattern::kServer, 1000, 1));
  EXPECT_THAT(valid, HasSubstr("## Load\n\nserver, 1000 queries/s, p99 within 10.0 ms."));
  EXPECT_THAT(valid, HasSubstr("**VALID**"));
  EXPECT_THAT(valid, HasSubstr("| latency p99.9 | "));
  EXPECT_THAT(valid, HasSubstr("not resolved: needs"));
  EXPECT_THAT(valid, HasSubstr("| over the bound | 1 of 1000 queries |"));
  EXPECT_THAT(LoadSection(LoadRecord(LoadPattern::kServer, 1000, 40)),
              HasSubstr("**INVALID because 40 of 1000 queries took more than 10 ms: p99 is over"));
  EXPECT_THAT(LoadSection(LoadRecord(LoadPattern::kSingleStream, 102, 0)), HasSubstr("**VALID**"));
  EXPECT_EQ(LoadSection(testing_record::MakeRun("x", 1)), "");
}

TEST(LoadReportTest, ThePeakAndItsTrials) {
  RunRecord run = LoadRecord(LoadPattern::kFindPeak, 3000, 0);
  for (std::size_t i = 1000; i < 1500; ++i) run.load->queries[i].completed_ns += 50'000'000;
  run.load->trials = {{100, 0, 1000, false}, {200, 1000, 1000, false}, {100, 2000, 1000, true}};
  const std::string text = LoadSection(run);
  EXPECT_THAT(text, HasSubstr("| peak | 100 queries/s (between it and 200) |"));
  EXPECT_THAT(text, HasSubstr("| 200 | 1000 | 500 | missed |"));
  EXPECT_THAT(text, HasSubstr("| 100 | 1000 | 0 | kept (repeated) |"));
  const std::string summary = RunSummary(run, {});
  EXPECT_THAT(summary, HasSubstr("verdict            VALID"));
  EXPECT_THAT(summary, HasSubstr("peak               100 queries/s"));
}

TEST(LoadReportTest, OfflineHasNoLatency) {
  RunRecord run = LoadRecord(LoadPattern::kOffline, 1, 0);
  run.load->settings.latency_bound_ns = 0;
  run.load->settings.samples_per_query = 5000;
  run.load->queries[0].completed_ns = run.load->queries[0].scheduled_ns + 1'000'000'000;
  const std::string text = LoadSection(run);
  EXPECT_THAT(text, HasSubstr("| samples | 5000 /s |"));
  EXPECT_THAT(text, Not(HasSubstr("latency p")));
}

}  // namespace
}  // namespace kenning
