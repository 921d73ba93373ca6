// SPDX-License-Identifier: Apache-2.0
#include "app/load_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>

#include "measure/load_pattern.h"
#include "measure/load_verdict.h"

namespace kenning {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;

/// Servers of a fixed service time on a clock that only moves when someone waits.
class FakeRunner final : public QueryRunner {
 public:
  explicit FakeRunner(std::int64_t service_ns, int servers = 1)
      : service_ns_(service_ns), free_at_(static_cast<std::size_t>(servers), 0) {}

  std::uint32_t pool_items() const override { return 10; }
  std::uint32_t samples_per_item() const override { return samples_per_item_; }
  std::int64_t Now() const override { return now_; }
  void SetPhase(Phase phase) override { phase_ = phase; }
  Result<> Run(std::uint32_t) override {
    ++(phase_ == Phase::kWarmUp ? warm_ups_ : runs_);
    now_ += Service();
    if (fail_at_ && runs_ == *fail_at_) return Fail(ErrorCode::kEngineFailure, "boom");
    if (cancel_at_ && runs_ == *cancel_at_) cancel_->Cancel();
    return {};
  }
  Result<> Issue(const Query& query) override {
    std::int64_t done = now_;
    for (const std::uint32_t item : query.items) {
      EXPECT_LT(item, 10U);
      auto free = std::ranges::min_element(free_at_);
      *free = std::max(*free, now_) + Service();
      done = std::max(done, *free);
    }
    waiting_.push_back({query.id, done});
    ++runs_;
    if (cancel_at_ && runs_ == *cancel_at_) cancel_->Cancel();
    now_ += issue_ns_;
    return {};
  }
  Result<> WaitUntil(std::int64_t until_ns) override {
    now_ = std::max(now_, until_ns);
    return {};
  }
  Result<> WaitIdle(const CancelToken& cancel) override {
    if (cancel.cancelled()) return {};
    for (const Done& one : waiting_) now_ = std::max(now_, one.completed_ns);
    return {};
  }
  void Drop() override {
    std::erase_if(waiting_, [this](const Done& one) { return one.completed_ns > now_; });
    ++drops_;
  }
  Result<> TakeDone(std::vector<Done>& out) override {
    std::erase_if(waiting_, [this, &out](const Done& one) {
      if (one.completed_ns > now_) return false;
      out.push_back(one);
      return true;
    });
    return {};
  }

  std::uint32_t samples_per_item_ = 1;
  std::int64_t issue_ns_ = 0;
  std::function<std::int64_t()> service_;
  std::optional<int> fail_at_;
  std::optional<int> cancel_at_;
  CancelToken* cancel_ = nullptr;
  int runs_ = 0;
  int warm_ups_ = 0;
  int drops_ = 0;

 private:
  std::int64_t Service() { return service_ ? service_() : service_ns_; }
  std::int64_t service_ns_;
  std::vector<std::int64_t> free_at_;
  std::vector<Done> waiting_;
  std::int64_t now_ = 1'000'000'000;
  Phase phase_ = Phase::kMeasured;
};

struct Outcome {
  Result<> result;
  LoadRun run;
  bool complete = false;
  LoadVerdict verdict;
};

Outcome RunOn(FakeRunner& runner, const LoadSettings& settings, CancelToken* cancel = nullptr) {
  EXPECT_TRUE(CheckLoadSettings(settings));
  NullProgress progress;
  const CancelToken never;
  Outcome outcome;
  outcome.result = RunLoad(settings, {}, runner, progress, cancel != nullptr ? *cancel : never,
                           outcome.run, outcome.complete);
  outcome.verdict = JudgeLoad(outcome.run);
  return outcome;
}

TEST(LoadRunTest, SingleStreamEndsWithTimeAndQueries) {
  FakeRunner runner(2 * kMs);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kSingleStream);
  settings.min_duration_s = 0.5;
  const Outcome by_time = RunOn(runner, settings);
  ASSERT_TRUE(by_time.result);
  EXPECT_EQ(by_time.run.queries.size(), 250U);
  EXPECT_EQ(runner.warm_ups_, 3);
  EXPECT_TRUE(by_time.complete);
  EXPECT_EQ(by_time.verdict.state, LoadState::kValid);
  EXPECT_NEAR(*by_time.verdict.estimate.value, 2e-3, 1e-12);
  settings.min_duration_s = 0.01;
  EXPECT_EQ(RunOn(runner, settings).run.queries.size(), 64U);  // What p90 needs.
  settings.min_queries = 500;
  EXPECT_EQ(RunOn(runner, settings).run.queries.size(), 500U);
  settings.min_queries = 0;
  settings.max_queries = 20;
  const Outcome cut = RunOn(runner, settings);
  EXPECT_EQ(cut.run.queries.size(), 20U);
  EXPECT_THAT(VerdictLine(cut.verdict), HasSubstr("44 more queries"));
}

TEST(LoadRunTest, MultiStreamWaitsForTheWholeQuery) {
  FakeRunner runner(kMs, 4);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kMultiStream);
  settings.streams = 4;
  settings.min_duration_s = 0.1;
  const Outcome outcome = RunOn(runner, settings);
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.run.queries.size(), 662U);
  // Eight samples on four streams: two rounds.
  EXPECT_NEAR(outcome.verdict.latency.median, 2e-3, 1e-12);
  EXPECT_EQ(outcome.verdict.state, LoadState::kValid);
}

TEST(LoadRunTest, ServerIssuesWhatIsDueWhateverTheAnswersDo) {
  FakeRunner runner(kMs);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kServer);
  settings.rate_qps = 500;
  settings.latency_bound_ns = 20 * kMs;
  settings.min_duration_s = 4;
  const Outcome outcome = RunOn(runner, settings);
  ASSERT_TRUE(outcome.result);
  EXPECT_NEAR(static_cast<double>(outcome.run.queries.size()), 2000, 200);
  EXPECT_EQ(VerdictLine(outcome.verdict), "VALID");
  EXPECT_EQ(outcome.verdict.late_share, 0);
  // M/D/1 at a load of one half: the mean wait is half a service time.
  EXPECT_NEAR(outcome.verdict.latency.mean, 1.5e-3, 0.15e-3);
  // The same seed gives the same schedule.
  FakeRunner again(kMs);
  const Outcome second = RunOn(again, settings);
  ASSERT_EQ(second.run.queries.size(), outcome.run.queries.size());
  EXPECT_EQ(second.run.queries[77].scheduled_ns, outcome.run.queries[77].scheduled_ns);
}

TEST(LoadRunTest, AnOverloadedServerShowsItsQueue) {
  FakeRunner runner(2 * kMs);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kServer);
  settings.rate_qps = 1000;
  settings.latency_bound_ns = 20 * kMs;
  settings.min_duration_s = 1;
  const Outcome outcome = RunOn(runner, settings);
  EXPECT_EQ(outcome.verdict.state, LoadState::kInvalid);
  EXPECT_THAT(VerdictLine(outcome.verdict), HasSubstr("p99 is over it"));
  // Twice as much as it can take: at the end of a second the last one waited about a second.
  EXPECT_GT(outcome.verdict.latency.maximum, 0.7);
}

TEST(LoadRunTest, AnUndecidedBoundRunsOn) {
  FakeRunner runner(kMs / 10);
  int count = 0;
  runner.service_ = [&count] { return ++count % 150 == 7 ? 12 * kMs : kMs / 10; };
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kServer);
  settings.rate_qps = 10;
  settings.latency_bound_ns = 10 * kMs;
  settings.min_duration_s = 1;
  const Outcome outcome = RunOn(runner, settings);
  EXPECT_GT(outcome.run.queries.size(), 662U);
  EXPECT_EQ(outcome.verdict.state, LoadState::kValid);
  EXPECT_GT(outcome.verdict.over_bound, 1U);
}

TEST(LoadRunTest, AHostThatIssuesTooSlowlyIsSeen) {
  FakeRunner runner(kMs / 100, 8);
  runner.issue_ns_ = 3 * kMs;
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kServer);
  settings.rate_qps = 300;
  settings.min_duration_s = 1;
  const Outcome outcome = RunOn(runner, settings);
  EXPECT_THAT(VerdictLine(outcome.verdict), HasSubstr("could not keep the schedule"));
}

TEST(LoadRunTest, OfflineIsOneQueryThatLastsLongEnough) {
  FakeRunner runner(kMs, 2);
  runner.samples_per_item_ = 4;
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kOffline);
  settings.streams = 2;
  settings.min_duration_s = 1;
  const Outcome outcome = RunOn(runner, settings);
  ASSERT_TRUE(outcome.result) << outcome.result.error().ToString();
  ASSERT_EQ(outcome.run.queries.size(), 1U);
  EXPECT_EQ(outcome.run.settings.samples_per_query % 4, 0U);
  EXPECT_NEAR(outcome.verdict.samples_per_s, 8000, 10);
  EXPECT_EQ(outcome.verdict.state, LoadState::kValid);
  // Warm-up was slower than what followed: the query is made larger until it lasts.
  FakeRunner faster(kMs);
  int calls = 0;
  faster.service_ = [&calls] { return ++calls <= 3 ? 50 * kMs : kMs; };
  settings.streams = 1;
  const Outcome repeated = RunOn(faster, settings);
  EXPECT_GE(repeated.verdict.duration_s, 1);
  settings.max_queries = 100;
  const Outcome few = RunOn(runner, settings);
  EXPECT_EQ(few.run.settings.samples_per_query, 100U);
  EXPECT_EQ(few.verdict.state, LoadState::kNeedsMore);
}

TEST(LoadRunTest, FindPeakOfAQueue) {
  FakeRunner runner(kMs);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kFindPeak);
  settings.latency_bound_ns = 10 * kMs;
  settings.min_duration_s = 5;
  const Outcome outcome = RunOn(runner, settings);
  ASSERT_TRUE(outcome.result) << outcome.result.error().ToString();
  EXPECT_EQ(VerdictLine(outcome.verdict), "VALID");
  ASSERT_TRUE(outcome.verdict.peak_qps && outcome.verdict.next_qps);
  // M/D/1 with 1 ms: p99 of the time in the system is 10 ms near a load of 0.78.
  EXPECT_GT(*outcome.verdict.peak_qps, 650);
  EXPECT_LT(*outcome.verdict.peak_qps, 900);
  EXPECT_LT(*outcome.verdict.next_qps, *outcome.verdict.peak_qps * 1.2);
  EXPECT_TRUE(outcome.run.trials.back().confirms);
  EXPECT_GT(runner.drops_, 0);  // Trials that were far off ended early.
}

TEST(LoadRunTest, FindPeakWhereNothingPasses) {
  FakeRunner runner(20 * kMs);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kFindPeak);
  settings.latency_bound_ns = 10 * kMs;
  settings.min_duration_s = 1;
  const Outcome outcome = RunOn(runner, settings);
  ASSERT_TRUE(outcome.result);
  EXPECT_THAT(VerdictLine(outcome.verdict), HasSubstr("no rate that was tried keeps the bound"));
}

TEST(LoadRunTest, FindPeakThatIsTooShortSaysSo) {
  FakeRunner runner(kMs);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kFindPeak);
  settings.latency_bound_ns = 10 * kMs;
  settings.rate_qps = 10;
  settings.min_duration_s = 1;
  settings.max_duration_s = 2;
  const Outcome outcome = RunOn(runner, settings);
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.run.trials.size(), 1U);
  EXPECT_EQ(outcome.verdict.state, LoadState::kNeedsMore);
  EXPECT_THAT(VerdictLine(outcome.verdict), HasSubstr("in the trial at 10 queries/s"));
}

TEST(LoadRunTest, QueriesHoldWholeBatches) {
  FakeRunner runner(kMs);
  runner.samples_per_item_ = 3;
  const Outcome outcome = RunOn(runner, DefaultLoadSettings(LoadPattern::kMultiStream));
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().code(), ErrorCode::kInvalidScenario);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kSingleStream);
  settings.min_duration_s = 0;
  EXPECT_EQ(RunOn(runner, settings).run.settings.samples_per_query, 3U);
}

TEST(LoadRunTest, FailuresAndCancellation) {
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kSingleStream);
  FakeRunner failing(kMs);
  failing.fail_at_ = 5;
  EXPECT_EQ(RunOn(failing, settings).result.error().code(), ErrorCode::kEngineFailure);
  for (const LoadPattern pattern :
       {LoadPattern::kSingleStream, LoadPattern::kMultiStream, LoadPattern::kServer,
        LoadPattern::kOffline, LoadPattern::kFindPeak}) {
    settings = DefaultLoadSettings(pattern);
    if (pattern == LoadPattern::kServer) settings.rate_qps = 100;
    settings.latency_bound_ns = 100 * kMs;
    CancelToken cancel;
    FakeRunner runner(kMs);
    runner.cancel_ = &cancel;
    runner.cancel_at_ = pattern == LoadPattern::kOffline ? 1 : 5;
    const Outcome outcome = RunOn(runner, settings, &cancel);
    EXPECT_TRUE(outcome.result);
    EXPECT_FALSE(outcome.complete);
    EXPECT_LE(outcome.run.queries.size(), 5U) << LoadPatternName(pattern);
    for (const QueryTimes& query : outcome.run.queries) EXPECT_NE(query.completed_ns, 0);
  }
}

}  // namespace
}  // namespace kenning
