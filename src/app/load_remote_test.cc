// SPDX-License-Identifier: Apache-2.0
#include "app/load_remote.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <numeric>

#include "app/testing_blocks.h"
#include "app/testing_target.h"
#include "kenning/base/file.h"
#include "measure/load_pattern.h"

namespace kenning {
namespace {

using testing_blocks::CountingDataset;
using testing_blocks::PassThrough;
using testing_target::MemoryTarget;

/// A model of one number in and three out, on a target in memory.
class RemoteRunnerTest : public testing::Test {
 protected:
  void Connect(NativeMode mode) {
    ModelSpec spec;
    spec.inputs = {{.name = "x", .shape = {1, 1}}};
    spec.outputs = {{.name = "y", .shape = {1, 3}}};
    target_.backend.spec = spec;
    target_.backend.invoke = [this](std::span<const TensorView> inputs,
                                    std::span<const MutableTensorView> outputs) -> Result<> {
      if (fail_at_ > 0 && ++calls_ == fail_at_) return Fail(ErrorCode::kEngineFailure, "boom");
      outputs[0].as<float>()[0] = inputs[0].as<float>()[0];
      return {};
    };
    WireSettings settings;
    settings.native = mode;
    client_ = wire::TargetClient::Connect(target_.Connect(), settings).value();
    const auto path = std::filesystem::path(testing::TempDir()) / "load-remote-model.fake";
    ASSERT_TRUE(WriteFileAtomically(path, "a model"));
    ModelArtifact artifact;
    artifact.path = path;
    artifact.format = "fake";
    const Result<> loaded =
        client_->LoadModel(artifact,
                           R"({"input": [{"name": "x", "shape": [1, 1], "dtype": "float32"}],
            "output": [{"name": "y", "shape": [1, 3], "dtype": "float32"}]})",
                           {});
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    session_ = std::make_unique<RemoteSession>(*client_);
    const CountingDataset dataset(1);
    const PassThrough wrapper;
    std::vector<SampleId> ids(10);
    std::iota(ids.begin(), ids.end(), 0U);
    NullProgress progress;
    const CancelToken cancel;
    pool_ =
        std::make_unique<SamplePool>(SamplePool::Prepare({dataset, wrapper, session_->spec(), spec},
                                                         ids, 1U << 20, progress, cancel)
                                         .value());
    runner_ = RemoteRunner::Make(*pool_, *session_).value();
  }

  LoadRun RunOn(LoadSettings settings, Result<>& result) {
    NullProgress progress;
    const CancelToken never;
    LoadRun run;
    bool complete = false;
    result = RunLoad(settings, {}, *runner_, progress, never, run, complete);
    return run;
  }

  MemoryTarget target_;
  int fail_at_ = 0;
  std::atomic<int> calls_ = 0;
  std::unique_ptr<wire::TargetClient> client_;
  std::unique_ptr<RemoteSession> session_;
  std::unique_ptr<SamplePool> pool_;
  std::unique_ptr<RemoteRunner> runner_;
};

TEST_F(RemoteRunnerTest, EveryPatternRunsEveryQuery) {
  Connect(NativeMode::kOn);
  std::size_t times = 0;
  for (const LoadPattern pattern : {LoadPattern::kSingleStream, LoadPattern::kMultiStream,
                                    LoadPattern::kServer, LoadPattern::kOffline}) {
    LoadSettings settings = DefaultLoadSettings(pattern);
    settings.min_duration_s = 0.02;
    settings.min_queries = 100;
    if (pattern == LoadPattern::kServer) settings.rate_qps = 3000;
    Result<> result;
    const LoadRun run = RunOn(settings, result);
    ASSERT_TRUE(result) << result.error().ToString();
    for (const QueryTimes& query : run.queries) {
      EXPECT_GE(query.issued_ns, query.scheduled_ns);
      EXPECT_GT(query.completed_ns, query.issued_ns);
    }
    const std::vector<Observation> calls = runner_->TakeObservations();
    EXPECT_GE(calls.size(), run.queries.size() * run.settings.samples_per_query + 3);
    EXPECT_TRUE(std::ranges::is_sorted(calls, {}, &Observation::start_ns));
    times += calls.size();
  }
  // One entry an inference, in the same order: what the record pairs.
  const std::vector<TargetTimes> taken = session_->TakeTimes();
  EXPECT_EQ(taken.size(), times);
  for (const TargetTimes& one : taken) EXPECT_TRUE(one.on_target());
}

TEST_F(RemoteRunnerTest, MoreThanMayBeInFlightWaits) {
  Connect(NativeMode::kOn);
  const std::vector<std::uint32_t> items(5 * wire::TargetClient::kMaxInFlight, 1);
  ASSERT_TRUE(runner_->Issue({3, items}));
  const CancelToken never;
  ASSERT_TRUE(runner_->WaitIdle(never));
  std::vector<QueryRunner::Done> done;
  ASSERT_TRUE(runner_->TakeDone(done));
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].id, 3U);
  EXPECT_EQ(target_.backend.invokes, static_cast<int>(items.size()));
}

TEST_F(RemoteRunnerTest, DroppedWorkIsNeverSent) {
  Connect(NativeMode::kOn);
  const std::vector<std::uint32_t> items(5 * wire::TargetClient::kMaxInFlight, 1);
  ASSERT_TRUE(runner_->Issue({0, items}));
  runner_->Drop();
  const CancelToken never;
  ASSERT_TRUE(runner_->WaitIdle(never));
  std::vector<QueryRunner::Done> done;
  ASSERT_TRUE(runner_->TakeDone(done));
  EXPECT_TRUE(done.empty());
  EXPECT_EQ(target_.backend.invokes, static_cast<int>(wire::TargetClient::kMaxInFlight));
}

TEST_F(RemoteRunnerTest, AFailureOnTheTargetEndsTheRun) {
  fail_at_ = 20;
  Connect(NativeMode::kOn);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kServer);
  settings.rate_qps = 2000;
  Result<> result;
  RunOn(settings, result);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kEngineFailure);
}

TEST_F(RemoteRunnerTest, ATargetThatGoesAwayEndsTheRun) {
  Connect(NativeMode::kOn);
  const std::vector<std::uint32_t> items(10, 1);
  target_.Vanish();
  const CancelToken never;
  Result<> result = runner_->Issue({0, items});
  if (result) result = runner_->WaitIdle(never);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kTargetLost);
}

TEST_F(RemoteRunnerTest, KenningsProtocolRunsASingleStream) {
  Connect(NativeMode::kOff);
  LoadSettings settings = DefaultLoadSettings(LoadPattern::kSingleStream);
  settings.min_duration_s = 0.01;
  Result<> result;
  const LoadRun run = RunOn(settings, result);
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_GE(run.queries.size(), 64U);
  EXPECT_FALSE(runner_->Issue({0, std::vector<std::uint32_t>{0}}));
}

}  // namespace
}  // namespace kenning
