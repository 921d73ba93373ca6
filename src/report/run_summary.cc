// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "evaluate/classification.h"
#include "kenning/base/strings.h"
#include "measure/statistics.h"
#include "report/inference_times.h"
#include "report/load_text.h"
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

/// "tcp://127.0.0.1:12345, native mode, ARM Cortex-A72".
std::string TargetLine(const TargetRun& target) {
  return fmt::format("{}, {}{}", target.address,
                     target.native ? "native mode" : "Kenning's protocol",
                     target.platform.cpu_model.empty() ? "" : ", " + target.platform.cpu_model);
}

/// Of what was seen at the sampler's step; 0 where the target does not tell.
std::uint64_t PeakOnTarget(const TargetRun& target) {
  std::uint64_t peak = 0;
  for (const SystemReading& reading : target.system) {
    peak = std::max({peak, reading.process_resident_bytes, reading.session_resident_bytes});
  }
  return peak;
}

/// The median of what the host sees, and how much of it is not the engine's.
std::string HostLine(const RunRecord& run) {
  if (ContainsTransfer(run)) return "the times above contain the transfer";
  return fmt::format("{} median; transfer and queue are {} of it",
                     FormatSeconds(SummariseLatency(Seconds(HostInferences(run))).median),
                     FormatPercent(TransferShare(run)));
}

}  // namespace

std::string RunSummary(const RunRecord& run, const ReportTypes& types) {
  std::string text;
  const auto line = [&text](std::string_view left, const std::string& right) {
    text += fmt::format("{:<18} {}\n", left, right);
  };
  const std::vector<double> seconds = Seconds(Inferences(run));
  const std::string engine =
      run.engine.name.empty() ? "engine unknown" : run.engine.name + " " + run.engine.version;
  line("model", fmt::format("{} ({}, {})", run.artifact.path.string(),
                            HumanBytes(run.artifact.size_bytes), engine));
  if (run.target) line("target", TargetLine(*run.target));
  bool intervals = false;
  if (types.performance && run.load) {
    line("load", LoadTitle(*run.load));
    for (const auto& [name, value] : LoadFigures(*run.load, JudgeLoad(*run.load))) {
      line(name, value);
    }
  }
  if (types.performance && !seconds.empty()) {
    intervals = true;
    const LatencySummary latency = SummariseLatency(seconds);
    for (const Percentile& percentile : latency.percentiles) {
      if (percentile.p == 0.5) line("inference median", PercentileText(percentile));
      if (percentile.p == 0.99) line("inference 99 %", PercentileText(percentile));
    }
    if (run.target) line("seen by the host", HostLine(run));
    line("inferences", fmt::format("{} in batches of {}", seconds.size(), run.batch_size));
  }
  if (types.performance && run.target) {
    const std::uint64_t peak = PeakOnTarget(*run.target);
    if (peak > 0) line("peak memory", HumanBytes(peak) + " (of the session on the target)");
  } else if (types.performance && run.log.process_peak_resident_bytes > 0) {
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
