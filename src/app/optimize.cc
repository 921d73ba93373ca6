// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

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

Result<ModelArtifact> RunOptimize(const Plan& plan, const Blocks& made, AppContext& context) {
  BlockContext blocks = MakeBlockContext(context, made.platform.get());
  std::optional<DatasetCalibration> calibration;
  if (made.dataset != nullptr) {
    KENNING_ASSIGN_OR_RETURN(calibration, DatasetCalibration::Make(*made.dataset, *made.wrapper));
  }
  OptimizeContext optimize{calibration ? &*calibration : nullptr, context.progress, context.cancel};
  ModelArtifact artifact = made.wrapper->model();
  for (std::size_t i = 0; i < plan.scenario.optimizers.size(); ++i) {
    const ScenarioBlock& block = plan.scenario.optimizers[i];
    optimize.output_format = i + 1 < plan.formats.size() ? plan.formats[i + 1] : "";
    KENNING_ASSIGN_OR_RETURN(artifact, RunOptimizer(block, artifact, blocks, optimize),
                             fmt::format("{} ({})", block.key_path, block.info->name));
  }
  return artifact;
}

}  // namespace kenning
