// SPDX-License-Identifier: Apache-2.0
/// \file
/// The steps of a run: plan, optimize, test, report. Glue only: parsing is in scenario and cli,
/// work is in blocks, engines and measure.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/core/load_run.h"
#include "kenning/core/run_record.h"
#include "kenning/registry/registry.h"
#include "scenario/scenario.h"

namespace kenning {

/// What every step may use. Outlives the step.
struct AppContext {
  const Registry& registry;
  ProgressSink& progress;
  const CancelToken& cancel;
  bool install_toolchains = false;  ///< Install toolchains that a plan lacks, instead of failing.
};

/// Which steps a command line asks for; decides which blocks must be there.
struct StepSet {
  bool optimize = false;
  bool test = false;
  bool report = false;
};

/// A checked scenario: every block exists and is available, formats chain, the model's inputs fit
/// the dataset's samples. Nothing was downloaded, written or run (model files were read).
struct Plan {
  Scenario scenario;
  StepSet steps;
  std::string model_format;             ///< Of the wrapper's model.
  std::optional<ModelSpec> model_spec;  ///< Where the model file is already there.
  std::vector<std::string> formats;     ///< After the wrapper and after each optimizer.
  std::string target;                   ///< The target that is used ("tcp://…"); empty: none.
  std::vector<std::string> notes;       ///< "dataset not here yet: 30 MB will be downloaded", …
};

/// \return kInvalidScenario with every problem found, one a line; kUnavailable.
Result<Plan> MakePlan(Scenario scenario, StepSet steps, AppContext& context);
/// What would be done, for --dry-run.
std::string DescribePlan(const Plan& plan);

struct Blocks;

/// Runs the optimizers in order. Without optimizers: returns the wrapper's own model. `made` are
/// the plan's blocks (app/make_blocks.h); steps of one command share them.
Result<ModelArtifact> RunOptimize(const Plan& plan, const Blocks& made, AppContext& context);

/// Whether an optimizer's `location` is the target.
bool RunsOnTarget(const ScenarioBlock& optimizer);
/// Whether one of the steps needs the scenario's target.
bool UsesTarget(const Scenario& scenario, const StepSet& steps);

struct TestOptions {
  /// Shown in comparisons; empty: the wrapper's model_name, else the measurements' file stem.
  std::string name;
  std::vector<std::string> command;        ///< argv, kept in the record.
  int warm_up = 3;                         ///< Invokes before the measured ones, kept apart.
  std::optional<std::size_t> max_samples;  ///< Only the first so many test samples.
  double sample_interval_s = 0.1;          ///< Of the system sampler.
  /// Runs this load pattern, which evaluates nothing, in place of one pass over the test samples.
  std::optional<LoadSettings> load;
};
struct TestOutcome {
  RunRecord record;
  /// Of a run that broke off after something was measured (kTargetLost, kDeadlineExceeded): the
  /// record is what was measured until then, with log.complete == false.
  std::optional<Error> failure;
};
/// Loads the final artifact (of the last optimizer, or the wrapper's model), here or, where the
/// scenario has a protocol, on the target, and runs the test split. On cancellation gives the
/// partial record with log.complete == false.
Result<TestOutcome> RunTest(const Plan& plan, const TestOptions& options, const Blocks& made,
                            AppContext& context);

}  // namespace kenning
