// SPDX-License-Identifier: Apache-2.0
#include "measure/load_verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "measure/load_pattern.h"

namespace kenning {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;

/// `count` queries due every `gap_ms`, each `latency_ms` long, the first `slow` of them `slow_ms`.
LoadRun Made(LoadPattern pattern, int count, double gap_ms, double latency_ms, int slow = 0,
             double slow_ms = 0) {
  LoadRun run;
  run.settings = DefaultLoadSettings(pattern);
  run.settings.min_duration_s = 0;
  for (int i = 0; i < count; ++i) {
    const auto due = static_cast<std::int64_t>(1e9 + i * gap_ms * 1e6);
    const double taken = i < slow ? slow_ms : latency_ms;
    run.queries.push_back({due, due, due + static_cast<std::int64_t>(taken * 1e6)});
  }
  return run;
}

LoadRun Server(int count, int slow) {
  LoadRun run = Made(LoadPattern::kServer, count, 1, 2, slow, 20);
  run.settings.rate_qps = 1000;
  run.settings.latency_bound_ns = 10 * kMs;
  return run;
}

TEST(LoadVerdictTest, SingleStreamEstimatesItsPercentile) {
  const LoadVerdict verdict = JudgeLoad(Made(LoadPattern::kSingleStream, 64, 2, 2, 1, 9));
  EXPECT_EQ(VerdictLine(verdict), "VALID");
  EXPECT_NEAR(*verdict.estimate.value, 9e-3, 1e-12);
  EXPECT_NEAR(verdict.latency.median, 2e-3, 1e-12);
  EXPECT_NEAR(verdict.duration_s, 0.128, 1e-9);
  EXPECT_NEAR(verdict.queries_per_s, 500, 1e-6);
  EXPECT_EQ(VerdictLine(JudgeLoad(Made(LoadPattern::kSingleStream, 60, 2, 2))),
            "NEEDS MORE: 4 more queries for p90 at 99 % confidence");
}

TEST(LoadVerdictTest, DurationAndBoundOfStreams) {
  LoadRun run = Made(LoadPattern::kSingleStream, 100, 2, 2);
  run.settings.min_duration_s = 1;
  EXPECT_EQ(VerdictLine(JudgeLoad(run)), "NEEDS MORE: 0.2 s of at least 1 s");
  run.settings.min_duration_s = 0;
  run.settings.latency_bound_ns = kMs;
  EXPECT_EQ(VerdictLine(JudgeLoad(run)),
            "INVALID because p90 is up to 2 ms, over the bound of 1 ms");
  run.settings.latency_bound_ns = 3 * kMs;
  EXPECT_EQ(JudgeLoad(run).state, LoadState::kValid);
  run.settings.min_queries = 150;
  EXPECT_THAT(VerdictLine(JudgeLoad(run)), HasSubstr("50 more queries"));
}

TEST(LoadVerdictTest, MultiStreamCountsSamples) {
  const LoadVerdict verdict = JudgeLoad(Made(LoadPattern::kMultiStream, 1000, 2, 2));
  EXPECT_EQ(verdict.state, LoadState::kValid);
  EXPECT_NEAR(verdict.samples_per_s, 8 * 500, 1e-3);
}

TEST(LoadVerdictTest, ServerKeepsItsBoundAtTheConfidence) {
  EXPECT_EQ(VerdictLine(JudgeLoad(Server(662, 1))), "VALID");
  EXPECT_THAT(VerdictLine(JudgeLoad(Server(661, 1))),
              HasSubstr("1 more queries within it for p99"));
  EXPECT_EQ(VerdictLine(JudgeLoad(Server(1000, 30))),
            "INVALID because 30 of 1000 queries took more than 10 ms: p99 is over it");
  EXPECT_EQ(JudgeLoad(Server(2010, 10)).state, LoadState::kValid);
}

TEST(LoadVerdictTest, LatencyCountsFromTheDueTime) {
  // The answers come 2 ms after issue, but issue was 9 ms late: no coordinated omission.
  LoadRun run = Server(1000, 0);
  for (QueryTimes& query : run.queries) {
    query.issued_ns += 9 * kMs;
    query.completed_ns += 9 * kMs;
  }
  const LoadVerdict verdict = JudgeLoad(run);
  EXPECT_NEAR(verdict.latency.median, 11e-3, 1e-9);
  EXPECT_EQ(verdict.over_bound, 1000U);
  EXPECT_EQ(verdict.state, LoadState::kInvalid);
  EXPECT_EQ(verdict.late_share, 1);
}

TEST(LoadVerdictTest, AScheduleThatWasNotKept) {
  LoadRun run = Server(1000, 0);
  for (int i = 0; i < 20; ++i) run.queries[static_cast<std::size_t>(i)].issued_ns += kMs;
  EXPECT_THAT(VerdictLine(JudgeLoad(run)),
              HasSubstr("2 % of the queries were issued more than 0.5 ms late"));
  for (int i = 0; i < 10; ++i) run.queries[static_cast<std::size_t>(i)].issued_ns -= kMs;
  EXPECT_EQ(JudgeLoad(run).state, LoadState::kValid);
}

TEST(LoadVerdictTest, QueriesWithoutAnAnswer) {
  LoadRun run = Server(1000, 0);
  run.queries.back().completed_ns = 0;
  const LoadVerdict verdict = JudgeLoad(run);
  EXPECT_EQ(verdict.given_up, 1U);
  EXPECT_EQ(verdict.over_bound, 1U);
  EXPECT_EQ(VerdictLine(verdict), "INVALID because 1 of 1000 queries were given up");
  EXPECT_EQ(VerdictLine(JudgeLoad(Server(0, 0))), "INVALID because no query was run");
}

TEST(LoadVerdictTest, OfflineIsThroughput) {
  LoadRun run = Made(LoadPattern::kOffline, 1, 1, 4000);
  run.settings.samples_per_query = 20'000;
  run.settings.min_duration_s = 3;
  const LoadVerdict verdict = JudgeLoad(run);
  EXPECT_EQ(verdict.state, LoadState::kValid);
  EXPECT_NEAR(verdict.samples_per_s, 5000, 1e-6);
}

/// Trials one after another, with these shares of slow queries.
LoadRun Peak(const std::vector<std::pair<double, int>>& rates_and_slow, std::size_t confirming) {
  LoadRun run;
  for (std::size_t i = 0; i < rates_and_slow.size(); ++i) {
    const LoadRun trial = Server(1000, rates_and_slow[i].second);
    run.settings = trial.settings;
    run.trials.push_back(
        {rates_and_slow[i].first, run.queries.size(), trial.queries.size(), i >= confirming});
    run.queries.insert(run.queries.end(), trial.queries.begin(), trial.queries.end());
  }
  run.settings.pattern = LoadPattern::kFindPeak;
  return run;
}

TEST(LoadVerdictTest, ThePeakIsBetweenTheBestAndTheNextRate) {
  const LoadVerdict verdict =
      JudgeLoad(Peak({{100, 0}, {200, 0}, {400, 500}, {300, 0}, {310, 15}, {300, 0}}, 5));
  EXPECT_EQ(VerdictLine(verdict), "VALID");
  EXPECT_EQ(verdict.peak_qps, 300);
  EXPECT_EQ(verdict.next_qps, 310);
  EXPECT_EQ(verdict.queries, 1000U);
}

TEST(LoadVerdictTest, APeakThatIsNotOne) {
  EXPECT_THAT(VerdictLine(JudgeLoad(Peak({{100, 0}, {200, 0}}, 9))),
              HasSubstr("no rate that was tried is too high"));
  EXPECT_THAT(VerdictLine(JudgeLoad(Peak({{100, 0}, {200, 500}}, 9))),
              HasSubstr("was not confirmed"));
  // Passed once, and failed when it was repeated: the rate below counts.
  const LoadVerdict again =
      JudgeLoad(Peak({{100, 0}, {200, 0}, {400, 500}, {200, 500}, {100, 0}}, 3));
  EXPECT_EQ(again.state, LoadState::kValid);
  EXPECT_EQ(again.peak_qps, 100);
  EXPECT_EQ(again.next_qps, 200);
  EXPECT_THAT(VerdictLine(JudgeLoad(Peak({{100, 500}}, 9))), HasSubstr("no rate that was tried"));
}

}  // namespace
}  // namespace kenning
