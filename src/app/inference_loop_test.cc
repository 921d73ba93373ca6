// SPDX-License-Identifier: Apache-2.0
#include "app/inference_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

#include "app/testing_blocks.h"
#include "evaluate/classification.h"

namespace kenning {
namespace {

using testing::ElementsAre;
using testing_blocks::CountingDataset;
using testing_blocks::PassThrough;
using testing_blocks::RemainderSession;

struct Outcome {
  Result<> result;
  MeasurementLog log;
  ClassificationEvaluation evaluation;
};

Outcome RunLoop(std::size_t batch_size, Session& session, int warm_up = 2,
                const CancelToken* cancel = nullptr) {
  const CountingDataset dataset(batch_size);
  const PassThrough wrapper;
  const auto evaluator = MakeClassificationEvaluator(dataset.info().class_names);
  std::vector<SampleId> ids(10);
  std::iota(ids.begin(), ids.end(), 0U);
  NullProgress progress;
  const CancelToken never;
  Outcome outcome;
  const ModelSpec no_facts;
  outcome.result =
      RunInferenceLoop({dataset, wrapper, session, no_facts, evaluator.get()}, {ids, warm_up},
                       progress, cancel != nullptr ? *cancel : never, outcome.log);
  outcome.evaluation = evaluator->Finish();
  return outcome;
}

TEST(InferenceLoopTest, RunsTheLastPartialBatchOfADynamicModelAsItIs) {
  RemainderSession session(kAnyDim, DType::kFloat32);
  const Outcome outcome = RunLoop(4, session);
  ASSERT_TRUE(outcome.result) << outcome.result.error().ToString();
  EXPECT_THAT(session.rows_, ElementsAre(4, 4, 4, 4, 2));
  EXPECT_EQ(outcome.evaluation.total, 10U);
  EXPECT_EQ(outcome.evaluation.confusion[0][0], 4U);
  EXPECT_TRUE(outcome.log.complete);
}

TEST(InferenceLoopTest, PadsTheLastBatchOfAStaticModelAndCountsItOnce) {
  RemainderSession session(4, DType::kFloat32);
  const Outcome outcome = RunLoop(4, session, 0);
  ASSERT_TRUE(outcome.result) << outcome.result.error().ToString();
  EXPECT_THAT(session.rows_, ElementsAre(4, 4, 4));
  EXPECT_EQ(outcome.evaluation.total, 10U);
  EXPECT_EQ(outcome.log.observations.back().sample_count, 2U);
}

TEST(InferenceLoopTest, QuantisesInputsByTheSpecOfTheModel) {
  RemainderSession session(kAnyDim, DType::kInt8);
  const Outcome outcome = RunLoop(1, session);
  ASSERT_TRUE(outcome.result) << outcome.result.error().ToString();
  for (std::size_t c = 0; c < 3; ++c)
    EXPECT_EQ(outcome.evaluation.confusion[c][c], c == 0 ? 4U : 3U);
}

TEST(InferenceLoopTest, WarmUpIsLoggedApartAndNotEvaluated) {
  RemainderSession session(kAnyDim, DType::kFloat32);
  const Outcome outcome = RunLoop(1, session, 3);
  ASSERT_TRUE(outcome.result);
  const auto& log = outcome.log.observations;
  EXPECT_EQ(log.size(), static_cast<std::size_t>((10 + 3) * kStepCount));
  EXPECT_EQ(std::ranges::count(log, Phase::kWarmUp, &Observation::phase), 3 * kStepCount);
  EXPECT_EQ(outcome.evaluation.total, 10U);
  for (std::size_t i = 1; i < log.size(); ++i) {
    EXPECT_GE(log[i].start_ns, log[i - 1].start_ns);
    EXPECT_GE(log[i].end_ns, log[i].start_ns);
  }
}

TEST(InferenceLoopTest, AFixedBatchThatDiffersNamesTheRemedy) {
  RemainderSession session(8, DType::kFloat32);
  const Outcome outcome = RunLoop(1, session);
  ASSERT_FALSE(outcome.result);
  EXPECT_EQ(outcome.result.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_NE(outcome.result.error().message().find("inference_batch_size to 8"), std::string::npos);
}

TEST(InferenceLoopTest, AFailingInvokeNamesItsSample) {
  RemainderSession session(kAnyDim, DType::kFloat32);
  session.fail_at_ = 5;
  const Outcome outcome = RunLoop(1, session, 0);
  ASSERT_FALSE(outcome.result);
  EXPECT_NE(outcome.result.error().ToString().find("sample 4"), std::string::npos);
  EXPECT_FALSE(outcome.log.complete);
}

TEST(InferenceLoopTest, CancellingKeepsWhatWasMeasured) {
  RemainderSession session(kAnyDim, DType::kFloat32);
  CancelToken cancel;
  cancel.Cancel();
  const Outcome outcome = RunLoop(1, session, 2, &cancel);
  EXPECT_TRUE(outcome.result);
  EXPECT_FALSE(outcome.log.complete);
}

}  // namespace
}  // namespace kenning
