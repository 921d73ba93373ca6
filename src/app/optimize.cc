// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "app/app.h"
#include "app/artifact_store.h"
#include "app/calibration.h"
#include "app/make_blocks.h"

namespace kenning {
namespace {

Result<ModelArtifact> RunOptimizer(const ScenarioBlock& block, const ModelArtifact& input,
                                   BlockContext& blocks, OptimizeContext& context) {
  KENNING_ASSIGN_OR_RETURN(auto optimizer, block.info->make_optimizer(block.params, blocks));
  std::error_code ignored;
  if (std::filesystem::equivalent(optimizer->output_path(), input.path, ignored)) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("compiled_model_path {} is the model that it would be made from; name "
                            "another file",
                            optimizer->output_path().string()));
  }
  KENNING_ASSIGN_OR_RETURN(ModelArtifact output, optimizer->Optimize(input, context));
  KENNING_RETURN_IF_ERROR(SaveArtifactFacts(output));
  return output;
}

}  // namespace

bool RunsOnTarget(const ScenarioBlock& optimizer) {
  const auto location = optimizer.params.values().find("location");
  return location != optimizer.params.values().end() && optimizer.params.Has("location") &&
         optimizer.params.String("location") == "target";
}

bool UsesTarget(const Scenario& scenario, const StepSet& steps) {
  if (!scenario.protocol) return false;
  return steps.test || (steps.optimize && std::ranges::any_of(scenario.optimizers, RunsOnTarget));
}

Result<ModelArtifact> RunOptimize(const Plan& plan, const Blocks& made, AppContext& context) {
  BlockContext blocks = MakeBlockContext(context, made.platform.get());
  std::optional<DatasetCalibration> calibration;
  if (made.dataset != nullptr) {
    KENNING_ASSIGN_OR_RETURN(calibration, DatasetCalibration::Make(*made.dataset, *made.wrapper));
  }
  OptimizeContext optimize{calibration ? &*calibration : nullptr, context.progress, context.cancel};
  ModelArtifact artifact = made.wrapper->model();
  const std::vector<ScenarioBlock>& all = plan.scenario.optimizers;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ScenarioBlock& block = all[i];
    if (RunsOnTarget(block)) {
      std::size_t end = i + 1;
      while (end < all.size() && RunsOnTarget(all[end])) ++end;
      KENNING_ASSIGN_OR_RETURN(
          artifact,
          made.target->Optimize(std::span(all).subspan(i, end - i), artifact,
                                end < plan.formats.size() ? plan.formats[end] : "", blocks),
          fmt::format("{} ({})", block.key_path, block.info->name));
      i = end - 1;
      continue;
    }
    optimize.output_format = i + 1 < plan.formats.size() ? plan.formats[i + 1] : "";
    KENNING_ASSIGN_OR_RETURN(artifact, RunOptimizer(block, artifact, blocks, optimize),
                             fmt::format("{} ({})", block.key_path, block.info->name));
  }
  return artifact;
}

}  // namespace kenning
