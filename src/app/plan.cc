// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "app/app.h"
#include "app/deploy.h"
#include "app/formats.h"
#include "app/make_blocks.h"
#include "app/toolchains.h"
#include "kenning/base/strings.h"
#include "kenning/base/uri.h"

namespace kenning {
namespace {

/// Collects what is wrong, so that a user sees everything at once.
class Problems {
 public:
  void Add(const ScenarioBlock& block, const std::string& text) {
    const std::string where = block.where.file.empty() ? "" : ToString(block.where) + ": ";
    lines_.push_back(fmt::format("{}{}: {}", where, block.key_path, text));
  }
  void Add(std::string text) { lines_.push_back(std::move(text)); }
  Result<> Finish() const {
    if (lines_.empty()) return {};
    return Fail(ErrorCode::kInvalidScenario, Join(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

void CheckBlocksPresent(const Scenario& scenario, const StepSet& steps, Problems& problems) {
  const std::string file = scenario.path.empty() ? "the command line" : scenario.path;
  if (!scenario.model_wrapper) {
    problems.Add(fmt::format("{}: model_wrapper is missing: name the model to work on", file));
  }
  if (steps.test && !scenario.dataset) {
    problems.Add(fmt::format("{}: dataset is missing: \"test\" needs samples to run on", file));
  }
  if (steps.optimize && scenario.optimizers.empty()) {
    problems.Add(
        fmt::format("{}: optimizers is missing or empty: \"optimize\" has nothing to do", file));
  }
}

/// A block whose engine is not here ends planning at once: nothing else can be checked.
Result<> CheckAvailable(const ScenarioBlock& block) {
  if (!block.info->probe) return {};
  const Availability availability = block.info->probe();
  if (availability.available) return {};
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} ({}) is not available here: {}", block.key_path, block.info->name,
                          availability.reason));
}

Result<> CheckAllAvailable(const Scenario& scenario, const StepSet& steps) {
  if (steps.optimize) {
    for (const ScenarioBlock& block : scenario.optimizers) {
      if (!RunsOnTarget(block)) KENNING_RETURN_IF_ERROR(CheckAvailable(block));
    }
  }
  for (const auto* block : {&scenario.model_wrapper, &scenario.dataset}) {
    if (*block) KENNING_RETURN_IF_ERROR(CheckAvailable(**block));
  }
  if (UsesTarget(scenario, steps)) return CheckAvailable(*scenario.protocol);
  if (steps.test && scenario.runtime) KENNING_RETURN_IF_ERROR(CheckAvailable(*scenario.runtime));
  return {};
}

/// The format of the wrapper's model, by its path. \return kInvalidScenario.
Result<std::string> FormatOfModel(const ScenarioBlock& wrapper, const Registry& registry) {
  const std::string& path = wrapper.params.String("model_path");
  std::string format = FormatOfUri(path, registry);
  const std::vector<std::string>& produces = wrapper.info->produces;
  if (!format.empty() &&
      (produces.empty() || std::ranges::find(produces, format) != produces.end())) {
    return format;
  }
  Problems problems;
  if (format.empty()) {
    problems.Add(wrapper, fmt::format("parameters.model_path {}: the file's extension is of no "
                                      "model format that this build knows",
                                      path));
  } else {
    problems.Add(wrapper, fmt::format("parameters.model_path {}: {} takes models of format {}, "
                                      "this one is {}; \"Classifier\" takes any",
                                      path, wrapper.info->name, Join(produces), format));
  }
  return Fail(problems.Finish().error());
}

void CheckLocations(const Scenario& scenario, Problems& problems) {
  if (scenario.protocol) return;
  for (const ScenarioBlock& block : scenario.optimizers) {
    if (RunsOnTarget(block)) {
      problems.Add(block,
                   "location \"target\": the scenario has no protocol block, which says how to "
                   "reach the target; add one, or use \"host\"");
    }
  }
}

/// A path, or a file:// URI; empty where the parameter is not given or is a mistake.
std::filesystem::path OutputPath(const ScenarioBlock& block, const char* parameter,
                                 Problems& problems) {
  if (!block.params.Has(parameter)) return {};
  auto path = OutputPathFromUri(block.params.String(parameter));
  if (path) return *std::move(path);
  problems.Add(block, fmt::format("{} {}", parameter, path.error().message()));
  return {};
}

/// The nearest existing folder above must be writable; found out before hours of work, not after.
void CheckWritable(const ScenarioBlock& block, Problems& problems) {
  const std::filesystem::path path = OutputPath(block, "compiled_model_path", problems);
  if (path.empty()) return;
  std::error_code ignored;
  std::filesystem::path folder = std::filesystem::absolute(path, ignored).parent_path();
  while (!folder.empty() && !std::filesystem::exists(folder, ignored) &&
         folder != folder.root_path()) {
    folder = folder.parent_path();
  }
  if (!std::filesystem::is_directory(folder, ignored)) {
    problems.Add(block, fmt::format("compiled_model_path {}: {} is not a folder", path.string(),
                                    folder.string()));
  } else if (::access(folder.c_str(), W_OK) != 0) {
    problems.Add(block, fmt::format("compiled_model_path {}: the folder {} is not writable",
                                    path.string(), folder.string()));
  }
}

/// A test alone runs what an earlier optimisation left behind.
Result<> CheckOptimisedModelThere(const Scenario& scenario, Problems& problems) {
  const auto path = OutputPath(scenario.optimizers.back(), "compiled_model_path", problems);
  std::filesystem::path copy;
  if (scenario.runtime && !scenario.protocol) {
    copy = OutputPath(*scenario.runtime, "save_model_path", problems);
  }
  KENNING_RETURN_IF_ERROR(problems.Finish());
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return {};
  if (!copy.empty() && std::filesystem::exists(copy, ignored)) return {};
  return Fail(OptimisedModelMissing(path));
}

/// The model's file and contract, where it is already on this machine.
Result<> InspectModel(Plan& plan, BlockContext& blocks) {
  const ScenarioBlock& wrapper = *plan.scenario.model_wrapper;
  const std::string& uri = wrapper.params.String("model_path");
  if (uri.starts_with("http://") || uri.starts_with("https://")) {
    plan.notes.push_back(fmt::format("model {}: will be downloaded", uri));
    return {};
  }
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path, blocks.resolve_uri(uri));
  if (!std::filesystem::exists(path)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{}: {}.parameters.model_path: the model {} does not exist",
                            ToString(wrapper.where), wrapper.key_path, path.string()));
  }
  auto spec = blocks.inspect_model(path, plan.model_format);
  // The engine may be there on the target alone.
  if (!spec && plan.scenario.protocol && spec.error().code() == ErrorCode::kUnavailable) return {};
  KENNING_ASSIGN_OR_RETURN(plan.model_spec, std::move(spec));
  return {};
}

/// Samples against model, as far as the dataset knows them before it is prepared.
Result<> CheckSamplesFit(const Scenario& scenario, BlockContext& blocks) {
  if (!scenario.dataset) return {};
  KENNING_ASSIGN_OR_RETURN(const auto dataset,
                           scenario.dataset->info->make_dataset(scenario.dataset->params, blocks),
                           "dataset " + scenario.dataset->info->name);
  if (dataset->info().sample_specs.empty()) return {};
  KENNING_RETURN_IF_ERROR(scenario.model_wrapper->info->make_model_wrapper(
                              scenario.model_wrapper->params, dataset.get(), blocks),
                          "model wrapper " + scenario.model_wrapper->info->name);
  return {};
}

/// "num_threads=2, profiling=true": what is not as by default, but for `shown`.
std::string ChangedParameters(const ScenarioBlock& block, std::string_view shown) {
  std::vector<std::string> changed;
  for (const ParamSpec& spec : block.info->schema.params) {
    const auto found = block.params.values().find(spec.name);
    if (found == block.params.values().end() || spec.name == shown) continue;
    if (found->second == spec.default_value.value_or(ParamValue{})) continue;
    changed.push_back(fmt::format("{}={}", spec.name, ToString(found->second)));
  }
  return Join(changed);
}

}  // namespace

Result<Plan> MakePlan(Scenario scenario, StepSet steps, AppContext& context) {
  Plan plan;
  plan.scenario = std::move(scenario);
  plan.steps = steps;
  Problems problems;
  CheckBlocksPresent(plan.scenario, steps, problems);
  KENNING_RETURN_IF_ERROR(problems.Finish());
  KENNING_RETURN_IF_ERROR(ProvideToolchains(plan.scenario, steps, {}, context));
  KENNING_RETURN_IF_ERROR(CheckAllAvailable(plan.scenario, steps));
  const ScenarioBlock& wrapper = *plan.scenario.model_wrapper;
  if (!wrapper.params.Has("model_path")) {
    problems.Add(wrapper, "parameter model_path is missing");
    KENNING_RETURN_IF_ERROR(problems.Finish());
  }
  KENNING_ASSIGN_OR_RETURN(plan.model_format, FormatOfModel(wrapper, context.registry));
  plan.formats = ChainFormats(plan.scenario, plan.model_format, context.registry,
                              [&problems](const ScenarioBlock& block, const std::string& text) {
                                problems.Add(block, text);
                              });
  CheckLocations(plan.scenario, problems);
  if (steps.optimize) {
    for (const ScenarioBlock& block : plan.scenario.optimizers) CheckWritable(block, problems);
  }
  if (steps.test && plan.scenario.runtime && !plan.scenario.protocol) {
    OutputPath(*plan.scenario.runtime, "save_model_path", problems);
  }
  KENNING_RETURN_IF_ERROR(problems.Finish());
  KENNING_RETURN_IF_ERROR(ProvideToolchains(plan.scenario, steps, plan.formats, context));
  if (steps.test && !steps.optimize && !plan.scenario.optimizers.empty()) {
    KENNING_RETURN_IF_ERROR(CheckOptimisedModelThere(plan.scenario, problems));
  }
  KENNING_ASSIGN_OR_RETURN(const auto platform, MakePlatform(plan.scenario, context));
  BlockContext blocks = MakeBlockContext(context, platform.get());
  if (UsesTarget(plan.scenario, steps)) {
    KENNING_ASSIGN_OR_RETURN(const auto target,
                             MakeRemoteTarget(*plan.scenario.protocol, blocks, context));
    plan.target = target->name();
  }
  KENNING_RETURN_IF_ERROR(InspectModel(plan, blocks));
  if (plan.model_spec) KENNING_RETURN_IF_ERROR(CheckSamplesFit(plan.scenario, blocks));
  return plan;
}

std::string DescribePlan(const Plan& plan) {
  const Scenario& scenario = plan.scenario;
  std::string text;
  const auto line = [&text](const std::string& left, const std::string& right) {
    text += fmt::format("{:<14} {}\n", left, right);
  };
  const auto parameters = [&line](const ScenarioBlock& block, std::string_view shown) {
    const std::string changed = ChangedParameters(block, shown);
    if (!changed.empty()) line("  with", changed);
  };
  line("model", fmt::format("{} ({}, {})", scenario.model_wrapper->params.String("model_path"),
                            scenario.model_wrapper->info->name, plan.model_format));
  if (plan.model_spec) {
    for (const TensorSpec& input : plan.model_spec->inputs) {
      line("  input", fmt::format("{}: {}", input.name, ToString(input)));
    }
    for (const TensorSpec& output : plan.model_spec->outputs) {
      line("  output", fmt::format("{}: {}", output.name, ToString(output)));
    }
  }
  parameters(*scenario.model_wrapper, "model_path");
  if (scenario.dataset) {
    line("dataset", scenario.dataset->info->name);
    parameters(*scenario.dataset, "");
  }
  if (!plan.target.empty()) {
    line("target", fmt::format("{} ({})", plan.target, scenario.protocol->info->name));
    parameters(*scenario.protocol, "");
  }
  for (std::size_t i = 0; plan.steps.optimize && i < scenario.optimizers.size(); ++i) {
    const ScenarioBlock& block = scenario.optimizers[i];
    line("optimize", fmt::format("{} ({} -> {}) -> {}{}", block.info->name, plan.formats[i],
                                 plan.formats[i + 1], block.params.String("compiled_model_path"),
                                 RunsOnTarget(block) ? ", on the target" : ""));
    parameters(block, "compiled_model_path");
  }
  if (plan.steps.test) {
    line("test",
         fmt::format("{}{}",
                     scenario.runtime ? scenario.runtime->info->name
                                      : fmt::format("first runtime for {}", plan.formats.back()),
                     scenario.protocol ? ", on the target" : ""));
    if (!scenario.optimizers.empty()) {
      line("  runs", scenario.optimizers.back().params.String("compiled_model_path"));
    }
    if (scenario.runtime) parameters(*scenario.runtime, "");
  }
  for (const std::string& note : plan.notes) line("note", note);
  return text;
}

}  // namespace kenning
