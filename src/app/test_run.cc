// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "app/app.h"
#include "app/inference_loop.h"
#include "app/load_measure.h"
#include "app/under_test.h"
#include "evaluate/classification.h"
#include "kenning/base/log.h"

namespace kenning {
namespace {

/// A target that goes away, or is not waited for any more, ends the run; what was measured until
/// then stays valid.
bool KeepsWhatIsThere(const Error& error, const RunRecord& record) {
  const bool gone = error.code() == ErrorCode::kTargetLost ||
                    error.code() == ErrorCode::kDeadlineExceeded ||
                    error.code() == ErrorCode::kCancelled;
  return gone && !record.log.observations.empty();
}

Result<> Measure(const Plan& plan, const TestOptions& options, const Blocks& made,
                 ModelUnderTest& model, AppContext& context, RunRecord& record) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<SampleId> ids,
                           TestIds(*made.dataset, options.max_samples));
  std::unique_ptr<Evaluator> evaluator;
  const DatasetInfo& info = made.dataset->info();
  if (info.has_truth && info.task == "classification") {
    evaluator = MakeClassificationEvaluator(info.class_names);
  }
  if (model.remote != nullptr) {
    model.remote->ReserveTimes(ids.size() + static_cast<std::size_t>(options.warm_up));
  }
  Result<> result = MeasureSampled(plan, options, record, [&] {
    return RunInferenceLoop(
        {*made.dataset, *made.wrapper, *model.session, record.artifact.spec, evaluator.get()},
        {ids, options.warm_up}, context.progress, context.cancel, record.log);
  });
  if (evaluator != nullptr) record.evaluation = evaluator->Finish();
  return result;
}

void WarnOfNonFinite(const RunRecord& record) {
  if (!record.evaluation || record.evaluation->non_finite_samples == 0) return;
  LogWarning("{} of {} samples gave outputs that are NaN or infinite; they count as wrong",
             record.evaluation->non_finite_samples, record.evaluation->total);
}

}  // namespace

Result<TestOutcome> RunTest(const Plan& plan, const TestOptions& options, const Blocks& made,
                            AppContext& context) {
  TestOutcome outcome;
  KENNING_ASSIGN_OR_RETURN(ModelUnderTest model, LoadModelUnderTest(plan, made, context));
  outcome.record = DescribeRun(plan, options, made, model);
  RunRecord& record = outcome.record;
  Result<> measured = options.load ? MeasureLoad(plan, options, made, model, context, record)
                                   : Measure(plan, options, made, model, context, record);
  if (!measured) {
    if (!KeepsWhatIsThere(measured.error(), record)) return Fail(std::move(measured).error());
    if (measured.error().code() != ErrorCode::kCancelled) {
      outcome.failure = std::move(measured).error();
    }
    if (made.target != nullptr) made.target->Abandon();
  }
  WarnOfNonFinite(record);
  if (measured && !context.cancel.cancelled()) {
    KENNING_ASSIGN_OR_RETURN(record.profile, model.session->Profile());
  }
  AddTargetFacts(plan, made, model, record);
  return outcome;
}

}  // namespace kenning
