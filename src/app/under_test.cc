// SPDX-License-Identifier: Apache-2.0
#include "app/under_test.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/artifact_store.h"
#include "app/deploy.h"
#include "app/formats.h"
#include "kenning/base/clock.h"
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

/// The model to load; `wanted` where the runtime names a place of its own: the model is copied
/// there, as on a device.
Result<ModelArtifact> DeployModel(const Plan& plan, const ModelWrapper& wrapper,
                                  const std::filesystem::path& wanted, const BlockContext& blocks) {
  const std::string& format = plan.formats.back();
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path made, FinalModelPath(plan.scenario, wrapper),
                           "compiled_model_path");
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

Result<ModelUnderTest> LoadOnTarget(const Plan& plan, const Blocks& made,
                                    const BlockContext& blocks) {
  ModelUnderTest model;
  // Where the model lies on the target is the target's business.
  KENNING_ASSIGN_OR_RETURN(model.artifact, DeployModel(plan, *made.wrapper, {}, blocks));
  const ModelArtifact& own = made.wrapper->model();
  if (model.artifact.spec == ModelSpec{} && model.artifact.path == own.path) {
    model.artifact.spec = own.spec;
  }
  const auto& runtime = plan.scenario.runtime;
  KENNING_ASSIGN_OR_RETURN(auto session,
                           made.target->Load(model.artifact, runtime ? &*runtime : nullptr));
  model.engine = made.target->engine();
  model.remote = session.get();
  model.session = std::move(session);
  return model;
}

/// Whether CPU and memory are sampled during the run.
bool SamplesSystem(const Scenario& scenario) {
  if (!scenario.runtime) return true;
  const auto& values = scenario.runtime->params.values();
  const auto it = values.find("disable_performance_measurements");
  return it == values.end() || !scenario.runtime->params.Bool("disable_performance_measurements");
}

}  // namespace

Result<ModelUnderTest> LoadModelUnderTest(const Plan& plan, const Blocks& made,
                                          AppContext& context) {
  BlockContext blocks = MakeBlockContext(context, made.platform.get());
  ModelUnderTest model;
  if (made.target != nullptr) {
    KENNING_ASSIGN_OR_RETURN(model, LoadOnTarget(plan, made, blocks));
  } else {
    KENNING_ASSIGN_OR_RETURN(model.runtime, MakeRuntime(plan, blocks, context));
    model.engine = model.runtime->engine();
    KENNING_ASSIGN_OR_RETURN(model.artifact,
                             DeployModel(plan, *made.wrapper, model.runtime->model_path(), blocks));
    KENNING_ASSIGN_OR_RETURN(model.session,
                             model.runtime->Load(model.artifact.path, model.artifact.format));
  }
  if (model.artifact.spec == ModelSpec{}) model.artifact.spec = model.session->spec();
  return model;
}

Result<std::vector<SampleId>> TestIds(const Dataset& dataset, std::optional<std::size_t> most) {
  KENNING_ASSIGN_OR_RETURN(DatasetSplit split, dataset.Split(), "splitting the dataset");
  std::vector<SampleId> ids = std::move(split.test);
  if (most && *most < ids.size()) ids.resize(*most);
  if (ids.empty()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("dataset {} has no test samples; raise split_fraction_test",
                            dataset.info().name));
  }
  return ids;
}

Result<> MeasureSampled(const Plan& plan, const TestOptions& options, RunRecord& record,
                        const std::function<Result<>()>& work) {
  SystemSampler sampler;
  record.log.started_ns = MonotonicNowNs();
  if (SamplesSystem(plan.scenario)) sampler.Start(options.sample_interval_s);
  Result<> result = work();
  record.log.system = sampler.Stop();
  if (!record.log.system.empty()) record.log.sensors = sampler.sensors();
  record.log.ended_ns = MonotonicNowNs();
  record.log.process_peak_resident_bytes = ProcessPeakResidentBytes();
  return result;
}

RunRecord DescribeRun(const Plan& plan, const TestOptions& options, const Blocks& made,
                      const ModelUnderTest& model) {
  RunRecord record;
  record.environment = CaptureEnvironment(made.platform->info());
  record.engine = model.engine;
  record.artifact = model.artifact;
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
  if (!record.engine.name.empty()) {
    record.environment.versions[record.engine.name] = record.engine.version;
  }
  return record;
}

void AddTargetFacts(const Plan& plan, const Blocks& made, ModelUnderTest& model,
                    RunRecord& record) {
  if (model.remote == nullptr) return;
  record.target = made.target->Finish(SamplesSystem(plan.scenario));
  record.target->times = model.remote->TakeTimes();
  // An inference whose outputs could not be used has times, and is not in the log.
  const auto inferences = static_cast<std::size_t>(
      std::ranges::count(record.log.observations, Step::kInference, &Observation::step));
  record.target->times.resize(inferences);
}

}  // namespace kenning
