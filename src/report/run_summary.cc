// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "evaluate/classification.h"
#include "kenning/base/strings.h"
#include "measure/statistics.h"
#include "report/report.h"
#include "report/text.h"

namespace kenning {
namespace {

std::string PercentileText(const Percentile& percentile) {
  std::string text = FormatSeconds(percentile.value);
  if (percentile.interval) {
    text += fmt::format(" ({} to {})", FormatSeconds(percentile.interval->low),
                        FormatSeconds(percentile.interval->high));
  }
  return text;
}

}  // namespace

std::string RunSummary(const RunRecord& run, const ReportTypes& types) {
  std::string text;
  const auto line = [&text](std::string_view left, const std::string& right) {
    text += fmt::format("{:<18} {}\n", left, right);
  };
  const std::vector<double> seconds = StepSeconds(run.log, Step::kInference);
  line("model",
       fmt::format("{} ({}, {} {})", run.artifact.path.string(),
                   HumanBytes(run.artifact.size_bytes), run.engine.name, run.engine.version));
  bool intervals = false;
  if (types.performance && !seconds.empty()) {
    intervals = true;
    const LatencySummary latency = SummariseLatency(seconds);
    for (const Percentile& percentile : latency.percentiles) {
      if (percentile.p == 0.5) line("inference median", PercentileText(percentile));
      if (percentile.p == 0.99) line("inference 99 %", PercentileText(percentile));
    }
    line("inferences", fmt::format("{} in batches of {}", seconds.size(), run.batch_size));
  }
  if (types.performance && run.log.process_peak_resident_bytes > 0) {
    line("peak memory", HumanBytes(run.log.process_peak_resident_bytes) + " (this process)");
  }
  if (types.classification && run.evaluation && run.evaluation->total > 0) {
    intervals = true;
    const ClassificationEvaluation& evaluation = *run.evaluation;
    std::uint64_t right = 0;
    for (std::size_t c = 0; c < evaluation.confusion.size(); ++c) {
      right += evaluation.confusion[c][c];
    }
    const Interval interval = WilsonInterval(right, evaluation.total);
    line("accuracy", fmt::format("{} ({} to {}), {} of {} samples",
                                 FormatPercent(ComputeMetrics(evaluation).accuracy),
                                 FormatPercent(interval.low), FormatPercent(interval.high), right,
                                 evaluation.total));
  }
  if (!run.log.complete) line("incomplete", "the run was interrupted");
  for (const std::string& warning : run.environment.warnings) line("warning", warning);
  if (intervals) text += "Intervals are at 95 % confidence.\n";
  return text;
}

}  // namespace kenning
