// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_map>

#include "evaluate/classification.h"
#include "kenning/base/strings.h"
#include "measure/statistics.h"
#include "report/inference_times.h"
#include "report/json_values.h"
#include "report/report.h"
#include "report/sections.h"
#include "report/text.h"

namespace kenning {
namespace {

/// Right or wrong over the samples that both runs evaluated, in the order of `a`.
void CommonOutcomes(const ClassificationEvaluation& a, const ClassificationEvaluation& b,
                    std::vector<bool>& right_a, std::vector<bool>& right_b) {
  std::unordered_map<SampleId, std::size_t> in_b;
  for (std::size_t i = 0; i < b.ids.size(); ++i) in_b.emplace(b.ids[i], i);
  for (std::size_t i = 0; i < a.ids.size(); ++i) {
    const auto it = in_b.find(a.ids[i]);
    if (it == in_b.end() || a.truth[i] != b.truth[it->second]) continue;
    right_a.push_back(a.predicted[i] == a.truth[i]);
    right_b.push_back(b.predicted[it->second] == b.truth[it->second]);
  }
}

bool BatchesDiffer(std::span<const RunRecord> runs) {
  return std::ranges::any_of(
      runs, [&runs](const RunRecord& run) { return run.batch_size != runs[0].batch_size; });
}

/// Runs in batches of other sizes compare by what a sample costs.
LatencySeries SeriesPerSample(const RunRecord& run) {
  LatencySeries series{run.name, {}};
  for (const InferenceTime& one : Inferences(run)) {
    series.seconds.push_back(one.seconds / one.samples);
  }
  return series;
}

std::string SpeedCell(const RunRecord& baseline, const RunRecord& run) {
  const std::vector<double> base = SeriesPerSample(baseline).seconds;
  const std::vector<double> own = SeriesPerSample(run).seconds;
  if (base.empty() || own.empty()) return "n/a";
  const RatioEstimate ratio = CompareLatency(base, own);
  const std::string words = ratio.resolved ? "" : ", not resolved";
  return fmt::format("{} [{}, {}]{}", FormatTimes(ratio.ratio), FormatTimes(ratio.interval.low),
                     FormatTimes(ratio.interval.high), words);
}

std::string OwnAccuracy(const ClassificationEvaluation& e) {
  std::uint64_t right = 0;
  for (std::size_t c = 0; c < e.confusion.size(); ++c) right += e.confusion[c][c];
  const Interval interval = WilsonInterval(right, e.total);
  return fmt::format("{} [{}, {}]", FormatPercent(ComputeMetrics(e).accuracy),
                     FormatPercent(interval.low), FormatPercent(interval.high));
}

std::string AccuracyCell(const RunRecord& baseline, const RunRecord& run) {
  if (!run.evaluation) return "n/a";
  const std::string own = FormatPercent(ComputeMetrics(*run.evaluation).accuracy);
  if (!baseline.evaluation) return OwnAccuracy(*run.evaluation);
  std::vector<bool> right_a;
  std::vector<bool> right_b;
  CommonOutcomes(*baseline.evaluation, *run.evaluation, right_a, right_b);
  if (right_a.empty()) return own + " (no common samples)";
  const PairedAccuracy paired = CompareAccuracy(right_a, right_b);
  const std::string verdict = paired.resolved
                                  ? fmt::format("p={:.2g}", paired.p_value)
                                  : fmt::format("not resolved, p={:.2g}; could have seen {:.2f} pp",
                                                paired.p_value, 100 * paired.detectable);
  return fmt::format("{} ({} [{}, {}], {})", own, FormatPoints(paired.difference),
                     FormatPoints(paired.interval.low), FormatPoints(paired.interval.high),
                     verdict);
}

std::string SizeCell(const RunRecord& baseline, const RunRecord& run) {
  if (run.artifact.size_bytes == 0 || baseline.artifact.size_bytes == 0) return "n/a";
  return fmt::format("{} ({})",
                     FormatTimes(static_cast<double>(baseline.artifact.size_bytes) /
                                 static_cast<double>(run.artifact.size_bytes)),
                     HumanBytes(run.artifact.size_bytes));
}

/// "optimizers.0.parameters.calibration_method" -> value, for every leaf.
void Flatten(const nlohmann::json& json, const std::string& prefix,
             std::map<std::string, std::string>& leaves) {
  if (json.is_structured() && !json.empty()) {
    for (const auto& item : json.items()) {
      Flatten(item.value(), prefix.empty() ? item.key() : prefix + "." + item.key(), leaves);
    }
    return;
  }
  leaves[prefix] = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Scenario entries that are not the same in all runs.
std::string DifferencesTable(std::span<const RunRecord> runs) {
  std::vector<std::map<std::string, std::string>> all;
  std::set<std::string> keys;
  for (const RunRecord& run : runs) {
    std::map<std::string, std::string> leaves;
    const auto json = TryParseJson(run.scenario_json);
    if (json && json->is_object()) Flatten(*json, "", leaves);
    leaves["engine"] = run.engine.name + " " + run.engine.version;
    leaves["machine"] = MachineName(run);
    for (const auto& [key, value] : leaves) keys.insert(key);
    all.push_back(std::move(leaves));
  }
  std::vector<std::vector<std::string>> rows = {{"What differs"}};
  for (const RunRecord& run : runs) rows[0].push_back(EscapeMarkdown(run.name));
  for (const std::string& key : keys) {
    std::vector<std::string> row = {EscapeMarkdown(key)};
    std::set<std::string> values;
    for (auto& leaves : all) {
      const auto it = leaves.find(key);
      const std::string value = it == leaves.end() ? "" : it->second;
      values.insert(value);
      row.push_back(EscapeMarkdown(value));
    }
    if (values.size() > 1) rows.push_back(std::move(row));
  }
  return rows.size() > 1 ? MarkdownTable(rows) : "The scenarios do not differ.\n\n";
}

/// The columns that were asked for.
std::vector<std::string> TableRow(const ComparisonRow& row, const ReportTypes& types) {
  std::vector<std::string> cells = {row.name};
  if (types.performance) cells.push_back(row.speed);
  if (types.classification) cells.push_back(row.accuracy);
  cells.push_back(row.size);
  return cells;
}

}  // namespace

std::vector<ComparisonRow> CompareRuns(std::span<const RunRecord> runs) {
  std::vector<ComparisonRow> rows;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const RunRecord& run = runs[i];
    if (i == 0) {
      const std::string size =
          run.artifact.size_bytes == 0 ? "n/a" : "1x (" + HumanBytes(run.artifact.size_bytes) + ")";
      rows.push_back({run.name, "1x", run.evaluation ? OwnAccuracy(*run.evaluation) : "n/a", size});
      continue;
    }
    rows.push_back(
        {run.name, SpeedCell(runs[0], run), AccuracyCell(runs[0], run), SizeCell(runs[0], run)});
  }
  return rows;
}

std::vector<std::string> ComparabilityWarnings(std::span<const RunRecord> runs) {
  std::vector<std::string> warnings;
  const RunRecord& base = runs[0];
  for (const RunRecord& run : runs) {
    const std::string who = "run \"" + run.name + "\"";
    if (!run.log.complete) warnings.push_back(who + " is incomplete");
    for (const std::string& warning : run.environment.warnings) {
      warnings.push_back(who + ": " + warning);
    }
    if (&run == &base) continue;
    if (MachineName(run) != MachineName(base)) {
      warnings.push_back(fmt::format("{} ran on another {} ({}) than \"{}\" ({})", who,
                                     run.target || base.target ? "machine" : "CPU",
                                     MachineName(run), base.name, MachineName(base)));
    }
    if (ContainsTransfer(run) != ContainsTransfer(base)) {
      warnings.push_back(fmt::format(
          "the times of {} contain the transfer of inputs and outputs, those of \"{}\" do not",
          ContainsTransfer(run) ? who : "\"" + base.name + "\"",
          ContainsTransfer(run) ? base.name : run.name));
    }
    if (run.dataset_name != base.dataset_name) {
      warnings.push_back(fmt::format("{} used the dataset {}, \"{}\" used {}", who,
                                     run.dataset_name, base.name, base.dataset_name));
    }
    if (run.batch_size != base.batch_size) {
      warnings.push_back(fmt::format("{} ran batches of {}, \"{}\" of {}", who, run.batch_size,
                                     base.name, base.batch_size));
    }
    if (run.evaluation && base.evaluation && run.evaluation->ids != base.evaluation->ids) {
      warnings.push_back(fmt::format("{} evaluated other samples ({}) than \"{}\" ({})", who,
                                     run.evaluation->total, base.name, base.evaluation->total));
    }
  }
  return warnings;
}

std::string ComparisonSection(std::span<const RunRecord> runs, const ReportTypes& types,
                              const ImageSink& image) {
  const bool per_sample = BatchesDiffer(runs);
  std::string text = "## Comparison\n\n";
  std::vector<std::vector<std::string>> table = {TableRow(
      {"", per_sample ? "Speed boost per sample" : "Speed boost", "Accuracy", "Size reduction"},
      types)};
  for (ComparisonRow& row : CompareRuns(runs)) {
    row.name = EscapeMarkdown(row.name);
    table.push_back(TableRow(row, types));
  }
  text += MarkdownTable(table);
  text += fmt::format("Baseline: {}.", EscapeMarkdown(runs[0].name));
  if (types.performance) {
    text += fmt::format(
        " Speed boost: ratio of median inference times{}, with a 95 % interval from a block "
        "bootstrap.",
        per_sample ? " per sample" : "");
  }
  if (types.classification) {
    text +=
        " Accuracy: difference over the same samples, with Newcombe's paired 95 % interval and "
        "McNemar's exact test.";
  }
  text += " \"Not resolved\": the difference is within noise.";
  if (types.performance && per_sample) {
    text += " The batches differ in size, so each time is divided by the samples of its batch.";
  }
  text += "\n\n";
  for (const std::string& warning : ComparabilityWarnings(runs)) {
    text += fmt::format("> Warning: {}\n\n", EscapeMarkdown(warning));
  }
  if (types.performance) {
    std::vector<LatencySeries> series;
    for (const RunRecord& run : runs) {
      series.push_back(per_sample ? SeriesPerSample(run) : InferenceSeries(run));
    }
    text += image("comparison_latency", PlotLatencyHistogram(series)) + "\n\n";
  }
  return text + DifferencesTable(runs);
}

std::string ComparisonTable(std::span<const RunRecord> runs, const ReportTypes& types) {
  if (runs.empty()) return "";
  std::vector<std::vector<std::string>> cells = {TableRow(
      {"run", BatchesDiffer(runs) ? "speed boost per sample" : "speed boost", "accuracy", "size"},
      types)};
  for (const ComparisonRow& row : CompareRuns(runs)) cells.push_back(TableRow(row, types));
  std::vector<std::size_t> widths(cells[0].size(), 0);
  for (const auto& row : cells) {
    for (std::size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const auto& row : cells) {
    for (std::size_t c = 0; c + 1 < row.size(); ++c) {
      text += fmt::format("{:<{}}  ", row[c], widths[c]);
    }
    text += row.back() + "\n";
  }
  for (const std::string& warning : ComparabilityWarnings(runs))
    text += "warning: " + warning + "\n";
  return text;
}

}  // namespace kenning
