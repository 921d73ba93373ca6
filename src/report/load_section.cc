// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "measure/load_pattern.h"
#include "report/load_text.h"
#include "report/sections.h"
#include "report/text.h"

namespace kenning {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string Percent(double fraction) { return fmt::format("{:g}", 100 * fraction); }

double Seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

std::string Rate(double per_s) { return fmt::format("{:.4g}", per_s); }

std::string PercentileValue(const Percentile& percentile) {
  std::string text = FormatSeconds(percentile.value);
  if (percentile.interval) {
    return fmt::format("{} [{}, {}]", text, FormatSeconds(percentile.interval->low),
                       FormatSeconds(percentile.interval->high));
  }
  return fmt::format("{} (not resolved: needs {} more queries)", text, percentile.samples_needed);
}

std::string TrialTable(const LoadRun& load) {
  Rows rows = {{"Trial, queries/s", "queries", "over the bound", "result"}};
  for (const LoadTrial& trial : load.trials) {
    std::uint64_t over = 0;
    const BoundCheck check = CheckServerBound(
        std::span(load.queries).subspan(trial.first_query, trial.queries), load.settings, over);
    const char* result = check.state == BoundState::kMet      ? "kept"
                         : check.state == BoundState::kMissed ? "missed"
                                                              : "undecided";
    rows.push_back({Rate(trial.rate_qps), std::to_string(trial.queries), std::to_string(over),
                    trial.confirms ? fmt::format("{} (repeated)", result) : result});
  }
  return MarkdownTable(rows);
}

}  // namespace

std::string LoadTitle(const LoadRun& load) {
  const LoadSettings& s = load.settings;
  std::string text(LoadPatternName(s.pattern));
  if (s.pattern == LoadPattern::kServer) text += fmt::format(", {} queries/s", Rate(s.rate_qps));
  if (s.latency_bound_ns > 0) {
    text += fmt::format(", p{} within {}", Percent(s.percentile),
                        FormatSeconds(Seconds(s.latency_bound_ns)));
  }
  if (s.streams > 1) text += fmt::format(", {} streams", s.streams);
  if (s.samples_per_query > 1) text += fmt::format(", {} samples a query", s.samples_per_query);
  return text;
}

std::vector<std::pair<std::string, std::string>> LoadFigures(const LoadRun& load,
                                                             const LoadVerdict& verdict) {
  const LoadSettings& s = load.settings;
  std::vector<std::pair<std::string, std::string>> figures;
  figures.emplace_back("verdict", VerdictLine(verdict));
  if (verdict.peak_qps) {
    figures.emplace_back(
        "peak", verdict.next_qps ? fmt::format("{} queries/s (between it and {})",
                                               Rate(*verdict.peak_qps), Rate(*verdict.next_qps))
                                 : fmt::format("{} queries/s or more", Rate(*verdict.peak_qps)));
  } else if (verdict.next_qps) {
    figures.emplace_back("peak", fmt::format("below {} queries/s", Rate(*verdict.next_qps)));
  }
  figures.emplace_back("duration", fmt::format("{:.4g} s", verdict.duration_s));
  if (s.pattern != LoadPattern::kOffline) {
    figures.emplace_back("queries",
                         fmt::format("{}, {} /s", verdict.queries, Rate(verdict.queries_per_s)));
  }
  if (s.samples_per_query > 1) {
    figures.emplace_back("samples", fmt::format("{} /s", Rate(verdict.samples_per_s)));
  }
  if (s.pattern == LoadPattern::kOffline) return figures;
  if (verdict.estimate.value) {
    figures.emplace_back(
        fmt::format("latency p{}", Percent(s.percentile)),
        fmt::format("at most {} at {} % confidence", FormatSeconds(*verdict.estimate.value),
                    Percent(s.confidence)));
  }
  if (s.latency_bound_ns > 0) {
    figures.emplace_back("over the bound",
                         fmt::format("{} of {} queries", verdict.over_bound, verdict.queries));
  }
  if (s.pattern != LoadPattern::kSingleStream && s.pattern != LoadPattern::kMultiStream) {
    figures.emplace_back("issued late",
                         fmt::format("{:.2g} % (by more than {})", 100 * verdict.late_share,
                                     FormatSeconds(verdict.late_limit_s)));
  }
  return figures;
}

std::string LoadSection(const RunRecord& run) {
  if (!run.load) return "";
  const LoadVerdict verdict = JudgeLoad(*run.load);
  std::string text = fmt::format(
      "## Load\n\n{}. The latency of a query counts from when it was "
      "due. {} samples were prepared beforehand, {} a call of the "
      "engine; arrivals and samples follow from seed {}.\n\n",
      LoadTitle(*run.load), run.load->pool_samples, run.load->batch_size, run.load->settings.seed);
  text += fmt::format("**{}**\n\n", EscapeMarkdown(VerdictLine(verdict)));
  Rows rows = {{"Load", ""}};
  for (const auto& [name, value] : LoadFigures(*run.load, verdict)) {
    if (name != "verdict") rows.push_back({name, value});
  }
  if (run.load->settings.pattern != LoadPattern::kOffline && verdict.latency.count > 0) {
    rows.push_back({"latency mean", FormatSeconds(verdict.latency.mean)});
    for (const Percentile& percentile : verdict.latency.percentiles) {
      rows.push_back(
          {fmt::format("latency p{}", Percent(percentile.p)), PercentileValue(percentile)});
    }
    rows.push_back({"latency maximum", FormatSeconds(verdict.latency.maximum)});
  }
  text += MarkdownTable(rows);
  if (!run.load->trials.empty()) text += TrialTable(*run.load);
  return text;
}

}  // namespace kenning
