// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "app/app.h"
#include "app/make_blocks.h"
#include "cli/commands.h"
#include "cli/console_progress.h"
#include "cli/pipeline_options.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "report/report.h"
#include "report/run_record_io.h"

namespace kenning {
namespace {

constexpr int kCancelled = 130;

/// Finds out before the work whether the file can be made; leaves nothing behind.
Result<> CheckCanCreate(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is a folder", path.string()));
  }
  std::vector<std::filesystem::path> made;
  for (auto parent = path.parent_path();
       !parent.empty() && !std::filesystem::exists(parent, ignored) && parent != parent.root_path();
       parent = parent.parent_path()) {
    made.push_back(parent);
  }
  Result<> possible = [&path]() -> Result<> {
    KENNING_RETURN_IF_ERROR(AtomicFile::Create(path), "before anything was run");
    return {};
  }();
  for (const auto& parent : made) std::filesystem::remove(parent, ignored);
  return possible;
}

/// Measurements cost time: where their place fails, they go to a temporary folder, and it is said.
Result<> SaveOrRescue(const RunRecord& record, const std::filesystem::path& path) {
  Result<> saved = SaveRunRecord(record, path);
  if (saved) return saved;
  std::error_code error;
  const std::filesystem::path rescue = std::filesystem::temp_directory_path(error) /
                                       fmt::format("kenning-measurements-{}.json", ::getpid());
  Error failure = std::move(saved).error();
  if (!error && SaveRunRecord(record, rescue)) {
    return Fail(Error(failure.code(), fmt::format("{}; the measurements were kept in {}",
                                                  failure.message(), rescue.string())));
  }
  return Fail(std::move(failure));
}

class Pipeline {
 public:
  Pipeline(const std::vector<std::string>& steps, PipelineOptions options, CommandContext& context)
      : steps_(steps),
        options_(std::move(options)),
        context_(context),
        progress_(ConsoleProgress::ForStandardError()),
        app_{context.registry, progress_, context.cancel,
             options_.install_missing && !options_.dry_run} {}

  Result<int> Run() {
    const bool runs = Has("optimize") || Has("test");
    if (runs) {
      KENNING_RETURN_IF_ERROR(Prepare());
    } else {
      KENNING_RETURN_IF_ERROR(FollowScenario());
    }
    if (Has("report")) {
      KENNING_ASSIGN_OR_RETURN(types_, ParseReportTypes(options_.report_types));
    }
    if (runs) {
      if (options_.dry_run) {
        fmt::print("{}{}Nothing was run.\n", DescribePlan(*plan_), DescribeOutputs());
        return 0;
      }
      if (Has("optimize")) KENNING_RETURN_IF_ERROR(Optimize());
      if (Has("test")) {
        KENNING_ASSIGN_OR_RETURN(const int code, Test());
        if (code != 0) return code;
      }
    } else {
      KENNING_RETURN_IF_ERROR(LoadRecords());
    }
    if (Has("report")) KENNING_RETURN_IF_ERROR(Report());
    return 0;
  }

 private:
  bool Has(std::string_view step) const { return std::ranges::find(steps_, step) != steps_.end(); }

  Result<> Prepare() {
    KENNING_ASSIGN_OR_RETURN(
        Scenario scenario, options_.cfg.empty()
                               ? ParseScenario("{}", "", context_.registry, options_.overrides)
                               : LoadScenario(options_.cfg, context_.registry, options_.overrides));
    for (const std::string& warning : scenario.warnings) LogWarning("{}", warning);
    KENNING_ASSIGN_OR_RETURN(
        plan_, MakePlan(std::move(scenario), {Has("optimize"), Has("test"), Has("report")}, app_));
    if (plan_->scenario.report) AdoptReportBlock(plan_->scenario.report->params);
    if (!options_.measurements.empty()) {
      KENNING_RETURN_IF_ERROR(CheckCanCreate(options_.measurements[0]), "--measurements");
    }
    if (!options_.report_path.empty()) {
      KENNING_RETURN_IF_ERROR(CheckCanCreate(options_.report_path), "--report-path");
    }
    return {};
  }

  /// A report alone takes nothing but its own block from a scenario.
  Result<> FollowScenario() {
    if (options_.cfg.empty()) return {};
    KENNING_ASSIGN_OR_RETURN(const Scenario scenario,
                             LoadScenario(options_.cfg, context_.registry, {}));
    for (const std::string& warning : scenario.warnings) LogWarning("{}", warning);
    if (scenario.report) AdoptReportBlock(scenario.report->params);
    if (!options_.measurements.empty()) return {};
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{}: its report block names no measurements; give them with "
                            "--measurements FILE",
                            options_.cfg.string()));
  }

  std::string DescribeOutputs() const {
    std::string text;
    if (Has("test") && !options_.measurements.empty()) {
      text += fmt::format("{:<14} {}\n", "measurements", options_.measurements[0].string());
    }
    if (Has("report") && !options_.report_path.empty()) {
      text += fmt::format("{:<14} {}\n", "report", options_.report_path.string());
    }
    return text;
  }

  /// What the scenario's report block says, where the command line says nothing.
  void AdoptReportBlock(const Params& params) {
    const auto adopt = [&params](const char* name, auto& value) {
      if (value.empty() && params.Has(name)) value = params.String(name);
    };
    adopt("report_path", options_.report_path);
    adopt("report_name", options_.report_title);
    adopt("root_dir", options_.root_dir);
    adopt("img_dir", options_.image_dir);
    if (options_.report_types.empty() && params.Has("report_types")) {
      options_.report_types = params.StringList("report_types");
    }
    if (options_.measurements.empty() && params.Has("measurements")) {
      for (const std::string& file : params.StringList("measurements")) {
        options_.measurements.emplace_back(file);
      }
      const bool writes = Has("optimize") || Has("test");
      if (writes && options_.measurements.size() > 1) options_.measurements.resize(1);
    }
    if (options_.model_names.empty() && params.Has("model_names")) {
      options_.model_names.push_back(params.String("model_names"));
    }
  }

  /// A chain of steps reads its model and prepares its dataset once.
  Result<> MakeBlocksOnce() {
    if (blocks_) return {};
    KENNING_ASSIGN_OR_RETURN(blocks_, MakeBlocks(*plan_, app_));
    return {};
  }

  Result<> Optimize() {
    KENNING_RETURN_IF_ERROR(MakeBlocksOnce(), "optimize");
    KENNING_ASSIGN_OR_RETURN(const ModelArtifact artifact, RunOptimize(*plan_, *blocks_, app_),
                             "optimize");
    for (const ProvenanceStep& step : artifact.provenance) {
      fmt::print("{}: {:.1f} s\n", step.block, step.duration_s);
      for (const std::string& note : step.notes) fmt::print("  {}\n", note);
    }
    fmt::print("optimised model: {} ({})\n", artifact.path.string(),
               HumanBytes(artifact.size_bytes));
    std::fflush(stdout);
    return {};
  }

  Result<int> Test() {
    TestOptions test;
    test.command = context_.command_line;
    test.warm_up = options_.warm_up;
    test.max_samples = options_.max_samples;
    test.load = options_.load;
    if (!options_.model_names.empty()) test.name = options_.model_names[0];
    KENNING_RETURN_IF_ERROR(MakeBlocksOnce(), "test");
    KENNING_ASSIGN_OR_RETURN(TestOutcome outcome, RunTest(*plan_, test, *blocks_, app_), "test");
    RunRecord& record = outcome.record;
    if (record.name.empty()) {
      record.name =
          options_.measurements.empty() ? "run" : options_.measurements[0].stem().string();
    }
    if (!options_.measurements.empty()) {
      KENNING_RETURN_IF_ERROR(SaveOrRescue(record, options_.measurements[0]),
                              "saving the measurements");
    }
    if (!record.log.complete) {
      const std::string kept = options_.measurements.empty()
                                   ? "nothing was saved, as --measurements is not given"
                                   : "the partial measurements, marked as such, are in " +
                                         options_.measurements[0].string();
      if (outcome.failure) {
        return Fail(std::move(*outcome.failure).AddContext("test (" + kept + ")"));
      }
      LogError("interrupted; {}", kept);
      return kCancelled;
    }
    fmt::print("{}", RunSummary(record, types_));
    if (!options_.measurements.empty()) {
      fmt::print("measurements: {}\n", options_.measurements[0].string());
    } else if (!Has("report")) {
      fmt::print("Nothing was saved: give --measurements FILE to keep and compare this run.\n");
    }
    std::fflush(stdout);
    records_.push_back(std::move(record));
    return 0;
  }

  Result<> LoadRecords() {
    for (std::size_t i = 0; i < options_.measurements.size(); ++i) {
      KENNING_ASSIGN_OR_RETURN(RunRecord record, LoadRunRecord(options_.measurements[i]));
      if (i < options_.model_names.size()) record.name = options_.model_names[i];
      records_.push_back(std::move(record));
    }
    return {};
  }

  Result<> Report() {
    if (records_.size() > 1) fmt::print("{}", ComparisonTable(records_, types_));
    if (options_.report_path.empty()) {
      if (records_.size() == 1 && !Has("test")) fmt::print("{}", RunSummary(records_[0], types_));
      return {};
    }
    ReportOptions report;
    report.report_path = options_.report_path;
    report.image_dir = options_.image_dir;
    report.root_dir = options_.root_dir;
    report.title = options_.report_title;
    report.report_types = options_.report_types;
    KENNING_RETURN_IF_ERROR(RenderMarkdownReport(records_, report), "report");
    fmt::print("report: {}\n", options_.report_path.string());
    return {};
  }

  const std::vector<std::string>& steps_;
  PipelineOptions options_;
  CommandContext& context_;
  ConsoleProgress progress_;
  AppContext app_;
  std::optional<Plan> plan_;
  std::optional<Blocks> blocks_;
  ReportTypes types_;
  std::vector<RunRecord> records_;
};

}  // namespace

Result<int> PipelineCommand(const std::vector<std::string>& steps, const Words& words,
                            CommandContext& context) {
  KENNING_ASSIGN_OR_RETURN(const PipelineOptions options,
                           ParsePipelineOptions(steps, words, context.registry));
  if (!options.help.empty()) {
    fmt::print("{}", options.help);
    return 0;
  }
  SetLogLevel(options.verbosity);
  return Pipeline(steps, options, context).Run();
}

}  // namespace kenning
