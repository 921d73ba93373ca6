// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "app/app.h"
#include "app/artifact_store.h"
#include "app/deploy.h"
#include "app/formats.h"
#include "app/inference_loop.h"
#include "app/make_blocks.h"
#include "evaluate/classification.h"
#include "kenning/base/clock.h"
#include "kenning/base/log.h"
#include "kenning/base/uri.h"
#include "kenning/registry/params_from_text.h"
#include "measure/environment.h"
#include "measure/sampler.h"

namespace kenning {
namespace {

/// The scenario's runtime, or the best one here that takes the format.
Result<std::unique_ptr<Runtime>> MakeRuntime(const Plan& plan, BlockContext& blocks,
                                             AppContext& context) {
  const Scenario& scenario = plan.scenario;
  if (scenario.runtime) {
    return scenario.runtime->info->make_runtime(scenario.runtime->params, blocks);
  }
  const std::string& format = plan.formats.back();
  std::string reasons;
  for (const BlockInfo* info : RuntimesFor(format, context.registry)) {
    const Availability here = info->probe ? info->probe() : Availability{};
    if (!here.available) {
      reasons += fmt::format("\n{}: {}", info->name, here.reason);
      continue;
    }
    return info->make_runtime(DefaultParams(info->schema), blocks);
  }
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("no runtime of this build runs models of format \"{}\"{}", format, reasons));
}

/// Where the last optimizer put its model, or the wrapper's own.
Result<std::filesystem::path> FinalModelPath(const Scenario& scenario,
                                             const ModelWrapper& wrapper) {
  if (scenario.optimizers.empty()) return wrapper.model().path;
  return OutputPathFromUri(scenario.optimizers.back().params.String("compiled_model_path"));
}

/// The model to load. A runtime that names its own place gets the model copied there, as on a
/// device.
Result<ModelArtifact> DeployModel(const Plan& plan, const ModelWrapper& wrapper,
                                  const Runtime& runtime, const BlockContext& blocks) {
  const std::string& format = plan.formats.back();
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path made, FinalModelPath(plan.scenario, wrapper),
                           "compiled_model_path");
  const std::filesystem::path wanted = runtime.model_path();
  std::error_code ignored;
  if (!std::filesystem::exists(made, ignored)) {
    if (!wanted.empty() && std::filesystem::exists(wanted, ignored)) {
      return LoadArtifact(wanted, format);
    }
    return Fail(OptimisedModelMissing(made));
  }
  KENNING_ASSIGN_OR_RETURN(ModelArtifact artifact, LoadArtifact(made, format));
  if (wanted.empty()) return artifact;
  return DeployArtifact(std::move(artifact), wanted, blocks);
}

/// The ids to evaluate: the test split, or everything where a dataset has no labels to split by.
Result<std::vector<SampleId>> TestIds(const Dataset& dataset, const TestOptions& options) {
  KENNING_ASSIGN_OR_RETURN(DatasetSplit split, dataset.Split(), "splitting the dataset");
  std::vector<SampleId> ids = std::move(split.test);
  if (options.max_samples && *options.max_samples < ids.size()) ids.resize(*options.max_samples);
  if (ids.empty()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("dataset {} has no test samples; raise split_fraction_test",
                            dataset.info().name));
  }
  return ids;
}

bool SamplesSystem(const Scenario& scenario) {
  if (!scenario.runtime) return true;
  const auto& values = scenario.runtime->params.values();
  const auto it = values.find("disable_performance_measurements");
  return it == values.end() || !scenario.runtime->params.Bool("disable_performance_measurements");
}

void FillRecord(const Plan& plan, const Blocks& made, const TestOptions& options,
                RunRecord& record) {
  record.name = options.name;
  const ScenarioBlock& wrapper = *plan.scenario.model_wrapper;
  if (record.name.empty() && wrapper.params.Has("model_name")) {
    record.name = wrapper.params.String("model_name");
  }
  record.command = options.command;
  record.scenario_json = plan.scenario.canonical_json;
  record.scenario_path = plan.scenario.path;
  record.model_framework = made.wrapper->framework();
  record.original_size_bytes = made.wrapper->model().size_bytes;
  record.dataset_name = made.dataset->info().name;
  record.split_name = "test";
  record.batch_size = made.dataset->batch_size();
  record.environment.versions[record.engine.name] = record.engine.version;
}

Result<> Measure(const Plan& plan, const TestOptions& options, const Blocks& made, Session& session,
                 AppContext& context, RunRecord& record) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<SampleId> ids, TestIds(*made.dataset, options));
  std::unique_ptr<Evaluator> evaluator;
  const DatasetInfo& info = made.dataset->info();
  if (info.has_truth && info.task == "classification") {
    evaluator = MakeClassificationEvaluator(info.class_names);
  }
  SystemSampler sampler;
  record.log.started_ns = MonotonicNowNs();
  if (SamplesSystem(plan.scenario)) sampler.Start(options.sample_interval_s);
  const Result<> result = RunInferenceLoop(
      {*made.dataset, *made.wrapper, session, record.artifact.spec, evaluator.get()},
      {ids, options.warm_up}, context.progress, context.cancel, record.log);
  record.log.system = sampler.Stop();
  if (!record.log.system.empty()) record.log.sensors = sampler.sensors();
  record.log.ended_ns = MonotonicNowNs();
  record.log.process_peak_resident_bytes = ProcessPeakResidentBytes();
  KENNING_RETURN_IF_ERROR(result);
  if (evaluator != nullptr) record.evaluation = evaluator->Finish();
  if (record.evaluation && record.evaluation->non_finite_samples > 0) {
    LogWarning("{} of {} samples gave outputs that are NaN or infinite; they count as wrong",
               record.evaluation->non_finite_samples, record.evaluation->total);
  }
  return {};
}

}  // namespace

Result<RunRecord> RunTest(const Plan& plan, const TestOptions& options, const Blocks& made,
                          AppContext& context) {
  RunRecord record;
  record.environment = CaptureEnvironment(made.platform->info());
  BlockContext blocks = MakeBlockContext(context, made.platform.get());
  KENNING_ASSIGN_OR_RETURN(const auto runtime, MakeRuntime(plan, blocks, context));
  record.engine = runtime->engine();
  KENNING_ASSIGN_OR_RETURN(record.artifact, DeployModel(plan, *made.wrapper, *runtime, blocks));
  KENNING_ASSIGN_OR_RETURN(const auto session,
                           runtime->Load(record.artifact.path, record.artifact.format));
  if (record.artifact.spec == ModelSpec{}) record.artifact.spec = session->spec();
  FillRecord(plan, made, options, record);
  KENNING_RETURN_IF_ERROR(Measure(plan, options, made, *session, context, record));
  KENNING_ASSIGN_OR_RETURN(record.profile, session->Profile());
  return record;
}

}  // namespace kenning
