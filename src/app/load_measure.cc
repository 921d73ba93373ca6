// SPDX-License-Identifier: Apache-2.0
#include "app/load_measure.h"

#include <fmt/format.h>

#include "app/load_local.h"
#include "app/load_remote.h"
#include "app/load_run.h"
#include "measure/load_pattern.h"

namespace kenning {
namespace {

constexpr std::uint64_t kPoolBytes = std::uint64_t{1} << 30;

Result<> CheckTarget(const LoadSettings& settings, const RemoteSession& session) {
  if (settings.streams > 1) {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("{} streams: a target runs one inference after another; leave --streams "
                    "out",
                    settings.streams));
  }
  if (!session.native() && settings.pattern != LoadPattern::kSingleStream) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the load pattern {} needs a target that speaks the native mode; "
                            "Kenning's protocol takes one sample after another (single-stream)",
                            LoadPatternName(settings.pattern)));
  }
  return {};
}

/// What runs the queries, and where its calls of the engine are found afterwards.
struct Runners {
  std::vector<std::unique_ptr<Session>> further;
  std::unique_ptr<LocalRunner> local;
  std::unique_ptr<RemoteRunner> remote;

  QueryRunner& any() {
    if (remote != nullptr) return *remote;
    return *local;
  }
  std::vector<Observation> TakeObservations() {
    return remote != nullptr ? remote->TakeObservations() : local->TakeObservations();
  }
};

Result<Runners> MakeRunners(const LoadSettings& settings, ModelUnderTest& model,
                            const SamplePool& pool) {
  Runners runners;
  if (model.remote != nullptr) {
    KENNING_ASSIGN_OR_RETURN(runners.remote, RemoteRunner::Make(pool, *model.remote));
    return runners;
  }
  std::vector<Session*> sessions = {model.session.get()};
  for (std::uint32_t i = 1; i < settings.streams; ++i) {
    KENNING_ASSIGN_OR_RETURN(auto session,
                             model.runtime->Load(model.artifact.path, model.artifact.format),
                             fmt::format("stream {}", i + 1));
    sessions.push_back(session.get());
    runners.further.push_back(std::move(session));
  }
  KENNING_ASSIGN_OR_RETURN(runners.local, LocalRunner::Make(pool, sessions));
  return runners;
}

/// A query of offline that turned out too short was repeated: its calls are no part of the run.
void SetAsideEarlier(const LoadRun& load, std::vector<Observation>& observations) {
  if (load.queries.empty()) return;
  for (Observation& observation : observations) {
    if (observation.start_ns < load.queries.front().scheduled_ns) {
      observation.phase = Phase::kWarmUp;
    }
  }
}

}  // namespace

Result<> MeasureLoad(const Plan& plan, const TestOptions& options, const Blocks& made,
                     ModelUnderTest& model, AppContext& context, RunRecord& record) {
  const LoadSettings& settings = *options.load;
  KENNING_RETURN_IF_ERROR(CheckLoadSettings(settings));
  if (model.remote != nullptr) KENNING_RETURN_IF_ERROR(CheckTarget(settings, *model.remote));
  KENNING_ASSIGN_OR_RETURN(const std::vector<SampleId> ids,
                           TestIds(*made.dataset, options.max_samples));
  KENNING_ASSIGN_OR_RETURN(const SamplePool pool,
                           SamplePool::Prepare({*made.dataset, *made.wrapper, model.session->spec(),
                                                record.artifact.spec},
                                               ids, kPoolBytes, context.progress, context.cancel));
  KENNING_ASSIGN_OR_RETURN(Runners runners, MakeRunners(settings, model, pool));
  LoadOptions load_options;
  load_options.warm_up = options.warm_up;
  LoadRun load;
  Result<> result = MeasureSampled(plan, options, record, [&] {
    return RunLoad(settings, load_options, runners.any(), context.progress, context.cancel, load,
                   record.log.complete);
  });
  // Other streams may still be at work where one failed here; a target that is gone leaves what
  // came until then.
  if (!result && runners.remote == nullptr) return result;
  record.log.observations = runners.TakeObservations();
  SetAsideEarlier(load, record.log.observations);
  record.load = std::move(load);
  return result;
}

}  // namespace kenning
