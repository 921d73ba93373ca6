// SPDX-License-Identifier: Apache-2.0
#include "app/load_local.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>

#include "app/testing_blocks.h"
#include "measure/load_pattern.h"
#include "measure/load_verdict.h"

namespace kenning {
namespace {

using testing_blocks::CountingDataset;
using testing_blocks::PassThrough;
using testing_blocks::RemainderSession;

Result<SamplePool> MakePool(std::size_t batch, const Session& session,
                            std::uint64_t most_bytes = 1U << 20) {
  const CountingDataset dataset(batch);
  const PassThrough wrapper;
  std::vector<SampleId> ids(10);
  std::iota(ids.begin(), ids.end(), 0U);
  NullProgress progress;
  const CancelToken cancel;
  const ModelSpec no_facts;
  return SamplePool::Prepare({dataset, wrapper, session.spec(), no_facts}, ids, most_bytes,
                             progress, cancel);
}

TEST(SamplePoolTest, WholeBatchesCastForTheEngine) {
  const RemainderSession session(3, DType::kInt8);
  const auto pool = MakePool(3, session);
  ASSERT_TRUE(pool) << pool.error().ToString();
  EXPECT_EQ(pool->size(), 3U);  // The tenth sample fills no batch.
  EXPECT_EQ(pool->batch_size(), 3U);
  EXPECT_EQ(pool->first_sample(2), 6U);
  const auto values = pool->inputs(2)[0].as<std::int8_t>();
  EXPECT_EQ(values[0], 6 * 2 - 3);
  EXPECT_EQ(values[2], 8 * 2 - 3);
}

TEST(SamplePoolTest, FitsItsMemoryAndTheModel) {
  const RemainderSession session(kAnyDim, DType::kFloat32);
  EXPECT_EQ(MakePool(1, session, 4 * sizeof(float))->size(), 4U);
  EXPECT_EQ(MakePool(1, session, 0)->size(), 1U);
  const auto wrong = MakePool(2, RemainderSession(4, DType::kFloat32));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kInvalidScenario);
}

/// Several sessions and a runner over them.
struct Bench {
  explicit Bench(std::size_t streams, std::size_t batch = 1) {
    for (std::size_t i = 0; i < streams; ++i) {
      sessions.push_back(std::make_unique<RemainderSession>(kAnyDim, DType::kFloat32));
      pointers.push_back(sessions.back().get());
    }
    pool = std::make_unique<SamplePool>(MakePool(batch, *sessions[0]).value());
    runner = LocalRunner::Make(*pool, pointers).value();
  }
  std::vector<std::unique_ptr<RemainderSession>> sessions;
  std::vector<Session*> pointers;
  std::unique_ptr<SamplePool> pool;
  std::unique_ptr<LocalRunner> runner;
};

LoadRun RunOn(Bench& bench, LoadSettings settings, Result<>& result,
              const CancelToken* cancel = nullptr) {
  NullProgress progress;
  const CancelToken never;
  LoadRun run;
  bool complete = false;
  settings.streams = static_cast<std::uint32_t>(bench.sessions.size());
  result = RunLoad(settings, {}, *bench.runner, progress, cancel != nullptr ? *cancel : never, run,
                   complete);
  return run;
}

TEST(LocalRunnerTest, EveryPatternRunsEveryQuery) {
  for (const LoadPattern pattern : {LoadPattern::kSingleStream, LoadPattern::kMultiStream,
                                    LoadPattern::kServer, LoadPattern::kOffline}) {
    Bench bench(pattern == LoadPattern::kSingleStream ? 1 : 3);
    LoadSettings settings = DefaultLoadSettings(pattern);
    settings.min_duration_s = 0.02;
    settings.min_queries = 50;
    if (pattern == LoadPattern::kServer) settings.rate_qps = 2000;
    Result<> result;
    const LoadRun run = RunOn(bench, settings, result);
    ASSERT_TRUE(result) << result.error().ToString();
    std::uint64_t items = 0;
    for (const QueryTimes& query : run.queries) {
      EXPECT_GE(query.issued_ns, query.scheduled_ns);
      EXPECT_GT(query.completed_ns, query.issued_ns);
      items += run.settings.samples_per_query;
    }
    const std::vector<Observation> calls = bench.runner->TakeObservations();
    // A query of offline that turned out too short was repeated; its calls came before.
    std::uint64_t measured = 0;
    for (const Observation& call : calls) {
      const bool counts = call.start_ns >= run.queries.front().scheduled_ns;
      measured += counts && call.phase == Phase::kMeasured ? 1U : 0U;
    }
    EXPECT_EQ(measured, items) << LoadPatternName(pattern);
    EXPECT_GE(calls.size(), items + 3);
    EXPECT_TRUE(std::ranges::is_sorted(calls, {}, &Observation::start_ns));
  }
}

TEST(LocalRunnerTest, BatchesAreOneCallOfTheEngine) {
  Bench bench(2, 2);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kMultiStream);
  settings.min_duration_s = 0;
  settings.min_queries = 10;
  Result<> result;
  const LoadRun run = RunOn(bench, settings, result);
  ASSERT_TRUE(result);
  EXPECT_EQ(run.pool_samples, 10U);
  EXPECT_EQ(run.batch_size, 2U);
  std::size_t calls = 0;
  for (const Observation& call : bench.runner->TakeObservations()) {
    EXPECT_EQ(call.sample_count, 2U);
    calls += call.phase == Phase::kMeasured ? 1U : 0U;
  }
  EXPECT_EQ(calls, 10U * 4);
}

TEST(LocalRunnerTest, AFailureOnAnyThreadEndsTheRun) {
  for (const LoadPattern pattern : {LoadPattern::kSingleStream, LoadPattern::kMultiStream,
                                    LoadPattern::kServer, LoadPattern::kOffline}) {
    Bench bench(pattern == LoadPattern::kSingleStream ? 1 : 2);
    // Each of them: how the work is shared out is up to the system.
    for (const auto& session : bench.sessions) session->fail_at_ = 10;
    LoadSettings settings = DefaultLoadSettings(pattern);
    if (pattern == LoadPattern::kServer) settings.rate_qps = 1000;
    settings.min_queries = 100'000;
    Result<> result;
    RunOn(bench, settings, result);
    ASSERT_FALSE(result) << LoadPatternName(pattern);
    EXPECT_EQ(result.error().code(), ErrorCode::kEngineFailure);
  }
}

TEST(LocalRunnerTest, DroppedWorkIsNeverDone) {
  Bench bench(1);
  const std::vector<std::uint32_t> items(2000, 0);
  ASSERT_TRUE(bench.runner->Issue({7, items}));
  bench.runner->Drop();
  const CancelToken never;
  ASSERT_TRUE(bench.runner->WaitIdle(never));
  std::vector<QueryRunner::Done> done;
  ASSERT_TRUE(bench.runner->TakeDone(done));
  EXPECT_LE(done.size(), 1U);  // All may have run before Drop.
}

TEST(LocalRunnerTest, ACancelledWaitComesBack) {
  Bench bench(1);
  CancelToken cancel;
  cancel.Cancel();
  const std::vector<std::uint32_t> items(100'000, 0);
  ASSERT_TRUE(bench.runner->Issue({0, items}));
  EXPECT_TRUE(bench.runner->WaitIdle(cancel));
}

}  // namespace
}  // namespace kenning
