// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "evaluate/classification.h"
#include "kenning/base/strings.h"
#include "measure/statistics.h"
#include "report/inference_times.h"
#include "report/json_values.h"
#include "report/sections.h"
#include "report/text.h"

namespace kenning {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string PrettyJson(const std::string& text) {
  const auto json = TryParseJson(text);
  return json ? json->dump(4, ' ', false, nlohmann::json::error_handler_t::replace) : text;
}

Rows EnvironmentRows(const RunRecord& run) {
  const Environment& e = run.environment;
  Rows rows = {{run.target ? "Host (not the machine that the model ran on)" : "Environment", ""}};
  const auto add = [&rows](const std::string& key, const std::string& value) {
    if (!value.empty()) rows.push_back({key, EscapeMarkdown(value)});
  };
  add("CPU", e.platform.cpu_model);
  add("architecture", e.platform.architecture);
  if (e.platform.logical_cores > 0) add("logical cores", std::to_string(e.platform.logical_cores));
  add("CPU features", fmt::format("{}", fmt::join(e.platform.features, " ")));
  if (e.platform.memory_bytes > 0) add("memory", HumanBytes(e.platform.memory_bytes));
  add("kernel", e.platform.kernel);
  add("frequency governor", e.governor.empty() ? "not readable" : e.governor);
  add("load average before", fmt::format("{:.2f}", e.load_average_1min));
  add("started", e.started_at);
  add("kenning",
      e.kenning_version + (e.git_revision.empty() ? "" : " (revision " + e.git_revision + ")"));
  if (!run.target) add("engine", run.engine.name + " " + run.engine.version);
  return rows;
}

std::string ProvenanceText(const ModelArtifact& artifact) {
  Rows rows = {
      {"Model", ""},
      {"file", EscapeMarkdown(artifact.path.filename().string())},
      {"format", EscapeMarkdown(artifact.format)},
      {"size", HumanBytes(artifact.size_bytes)},
      {"SHA-256", artifact.sha256.empty() ? "unknown" : "`" + Slug(artifact.sha256) + "`"}};
  std::string text = MarkdownTable(rows);
  for (std::size_t i = 0; i < artifact.provenance.size(); ++i) {
    const ProvenanceStep& step = artifact.provenance[i];
    text += fmt::format("{}. **{}** ({} {}), {}\n", i + 1, EscapeMarkdown(step.block),
                        EscapeMarkdown(step.framework), EscapeMarkdown(step.version),
                        FormatSeconds(step.duration_s));
    for (const auto& [key, value] : step.parameters) {
      text += fmt::format("   - {}: {}\n", EscapeMarkdown(key), EscapeMarkdown(value));
    }
    for (const std::string& note : step.notes)
      text += fmt::format("   - {}\n", EscapeMarkdown(note));
  }
  return artifact.provenance.empty() ? text : text + "\n";
}

std::string PercentileCell(const Percentile& percentile, double confidence) {
  if (percentile.interval) {
    return fmt::format("{} [{}, {}] at {:.0f} %", FormatSeconds(percentile.value),
                       FormatSeconds(percentile.interval->low),
                       FormatSeconds(percentile.interval->high), 100 * confidence);
  }
  return fmt::format("{} (not resolved: needs {} more samples)", FormatSeconds(percentile.value),
                     percentile.samples_needed);
}

std::string LatencyTable(const LatencySummary& summary) {
  Rows rows = {{"Inference time", ""}};
  rows.push_back({"inferences", std::to_string(summary.count)});
  rows.push_back({"first", FormatSeconds(summary.first)});
  std::string mean = FormatSeconds(summary.mean);
  if (summary.mean_interval) {
    mean += fmt::format(" [{}, {}] at {:.0f} %", FormatSeconds(summary.mean_interval->low),
                        FormatSeconds(summary.mean_interval->high), 100 * summary.confidence);
  }
  rows.push_back({"mean", mean});
  rows.push_back({"standard deviation", FormatSeconds(summary.stddev)});
  rows.push_back({"median", FormatSeconds(summary.median)});
  rows.push_back({"minimum", FormatSeconds(summary.minimum)});
  rows.push_back({"maximum", FormatSeconds(summary.maximum)});
  for (const Percentile& percentile : summary.percentiles) {
    rows.push_back(
        {fmt::format("p{:g}", 100 * percentile.p), PercentileCell(percentile, summary.confidence)});
  }
  return MarkdownTable(rows);
}

double MedianOf(const std::vector<double>& values) {
  return values.empty() ? NAN : SummariseLatency(values).median;
}

std::string StepTable(const MeasurementLog& log, const char* inference) {
  Rows rows = {{"Step (median of a batch)", "time"}};
  for (const auto& [step, name] : {std::pair{Step::kLoad, "load and decode"},
                                   {Step::kPreprocess, "preprocess"},
                                   {Step::kInference, inference},
                                   {Step::kPostprocess, "postprocess"}}) {
    const std::vector<double> seconds = StepSeconds(log, step);
    if (!seconds.empty()) rows.push_back({name, FormatSeconds(MedianOf(seconds))});
  }
  return MarkdownTable(rows);
}

std::string ProfileTable(const std::vector<OperatorProfile>& profile) {
  if (profile.empty()) return "";
  constexpr std::size_t kMostRows = 40;
  std::int64_t total = 0;
  for (const OperatorProfile& p : profile) total += p.total_ns;
  Rows rows = {{"Operator", "type", "time a call", "share"}};
  for (std::size_t i = 0; i < std::min(kMostRows, profile.size()); ++i) {
    const OperatorProfile& p = profile[i];
    const double calls = std::max(1.0, static_cast<double>(p.calls));
    rows.push_back({EscapeMarkdown(p.name), EscapeMarkdown(p.op_type),
                    FormatSeconds(static_cast<double>(p.total_ns) * 1e-9 / calls),
                    FormatPercent(static_cast<double>(p.total_ns) /
                                  std::max(1.0, static_cast<double>(total)))});
  }
  return "### Operators\n\n" + MarkdownTable(rows);
}

}  // namespace

LatencySeries InferenceSeries(const RunRecord& run) { return {run.name, Seconds(Inferences(run))}; }

std::string PartialBanner(const RunRecord& run) {
  if (run.log.complete) return "";
  return fmt::format(
      "> **This run is incomplete:** it was interrupted after {} inferences. What is shown was "
      "measured; "
      "the rest is missing.\n\n",
      StepSeconds(run.log, Step::kInference).size());
}

std::string GeneralSection(const RunRecord& run) {
  std::string text = "## Run\n\n";
  if (!run.command.empty()) {
    text += CodeBlock(fmt::format("{}", fmt::join(run.command, " ")), "sh") + "\n";
  }
  if (!run.dataset_name.empty()) {
    text += fmt::format("Dataset {}, split \"{}\", batches of {}.\n\n",
                        EscapeMarkdown(run.dataset_name), EscapeMarkdown(run.split_name),
                        run.batch_size);
  }
  text += ProvenanceText(run.artifact);
  text += MarkdownTable(EnvironmentRows(run));
  for (const std::string& warning : run.environment.warnings) {
    text += fmt::format("> Warning: {}\n\n", EscapeMarkdown(warning));
  }
  if (!run.scenario_json.empty()) {
    text += "<details><summary>Scenario</summary>\n\n" +
            CodeBlock(PrettyJson(run.scenario_json), "json") + "\n</details>\n\n";
  }
  return text;
}

std::string PerformanceSection(const RunRecord& run, const ImageSink& image) {
  const LatencySeries series = InferenceSeries(run);
  std::string text = "## Performance\n\n";
  if (series.seconds.empty()) return text + "No inference was measured.\n\n";
  text += ContainsTransfer(run)
              ? "The target does not tell its own times: these are the host's, and contain the "
                "transfer of inputs and outputs. "
              : "The clock is read right before and right after the engine's own call; loading, "
                "preprocessing, postprocessing and evaluation lie outside of it. ";
  if (run.target && !ContainsTransfer(run)) text += "It is the target's clock. ";
  const std::size_t warm_up = StepSeconds(run.log, Step::kInference, Phase::kWarmUp).size();
  text += fmt::format("{} warm-up inferences are not among the figures.\n\n", warm_up);
  text += LatencyTable(SummariseLatency(series.seconds));
  text += image("latency", PlotLatencyOverTime(series)) + "\n\n";
  text += image("latency_histogram", PlotLatencyHistogram({series})) + "\n\n";
  text += StepTable(run.log, run.target ? "inference with its transfer" : "inference");
  text += MachineText(run);
  const MeasurementLog machine = SystemOfTheModel(run);
  if (machine.system.size() >= 2) {
    text += image("cpu", PlotCpu(machine)) + "\n\n";
    text += image("memory", PlotMemory(machine)) + "\n\n";
  }
  return text + ProfileTable(run.profile);
}

namespace {

std::string QualityTable(const ClassificationEvaluation& e, const ClassificationMetrics& m) {
  std::uint64_t right = 0;
  for (std::size_t c = 0; c < e.confusion.size(); ++c) right += e.confusion[c][c];
  const Interval interval = WilsonInterval(right, e.total);
  Rows rows = {{"Quality", ""}};
  rows.push_back({"samples", std::to_string(e.total)});
  rows.push_back(
      {"Accuracy", fmt::format("{} [{}, {}] at 95 %", FormatPercent(m.accuracy),
                               FormatPercent(interval.low), FormatPercent(interval.high))});
  if (e.confusion.size() > 5) {
    rows.push_back({"Top-5 accuracy", FormatPercent(m.top5_accuracy)});
  }
  rows.push_back({"Mean precision", FormatPercent(m.mean_precision)});
  rows.push_back({"Mean sensitivity", FormatPercent(m.mean_sensitivity)});
  rows.push_back({"G-mean", FormatPercent(m.g_mean)});
  rows.push_back({"Macro F1", FormatPercent(m.macro_f1)});
  if (e.non_finite_samples > 0) {
    rows.push_back({"samples with NaN or infinite outputs (counted as wrong)",
                    std::to_string(e.non_finite_samples)});
  }
  return MarkdownTable(rows);
}

std::string ClassTable(const ClassificationEvaluation& e, const ClassificationMetrics& m) {
  Rows rows = {{"Class", "samples", "precision", "sensitivity", "F1"}};
  for (std::size_t c = 0; c < e.confusion.size(); ++c) {
    std::uint64_t samples = 0;
    for (const std::uint64_t count : e.confusion[c]) samples += count;
    rows.push_back({EscapeMarkdown(e.class_names[c]), std::to_string(samples),
                    FormatPercent(m.precision[c]), FormatPercent(m.sensitivity[c]),
                    FormatPercent(m.f1[c])});
  }
  return MarkdownTable(rows);
}

}  // namespace

std::string ClassificationSection(const RunRecord& run, const ImageSink& image) {
  std::string text = "## Classification\n\n";
  if (!run.evaluation) return text + "The dataset has no labels: nothing was evaluated.\n\n";
  const ClassificationMetrics metrics = ComputeMetrics(*run.evaluation);
  text += QualityTable(*run.evaluation, metrics);
  text += image("confusion_matrix", PlotConfusionMatrix(*run.evaluation)) + "\n\n";
  return text + ClassTable(*run.evaluation, metrics);
}

}  // namespace kenning
