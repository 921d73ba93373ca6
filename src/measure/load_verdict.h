// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a run under a load pattern shows, and whether it shows it: pure functions of its raw times.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kenning/core/load_run.h"
#include "measure/early_stopping.h"
#include "measure/statistics.h"

namespace kenning {

enum class LoadState : std::uint8_t {
  kValid,
  kInvalid,    ///< A promise was broken: bound missed, schedule not kept, queries given up.
  kNeedsMore,  ///< Nothing is wrong but the run is too short to tell.
};

/// Figures of one run, or of find-peak's best trial.
struct LoadVerdict {
  LoadState state = LoadState::kNeedsMore;
  std::string reason;  ///< Empty for a valid run; else a clause: "the p99 latency …".
  std::uint64_t queries = 0;
  std::uint64_t given_up = 0;    ///< Without an answer.
  std::uint64_t over_bound = 0;  ///< Slower than the bound, or given up.
  double duration_s = 0;         ///< From the first due time to the last completion.
  double queries_per_s = 0;      ///< Completed, over the duration.
  double samples_per_s = 0;
  double late_share = 0;  ///< Of queries that were issued later than late_limit_s.
  double late_limit_s = 0;
  LatencySummary latency;          ///< Seconds from the due time to the completion.
  PercentileEstimate estimate;     ///< Of settings.percentile at settings.confidence, seconds.
  std::optional<double> peak_qps;  ///< find-peak: the highest rate that passed.
  std::optional<double> next_qps;  ///< find-peak: the lowest that did not; the peak is between.
};
LoadVerdict JudgeLoad(const LoadRun& run);

/// How one server run stands with its bound; queries without an answer count as over it.
BoundCheck CheckServerBound(std::span<const QueryTimes> queries, const LoadSettings& settings,
                            std::uint64_t& over);

/// "VALID", "INVALID because …", "NEEDS MORE: …".
std::string VerdictLine(const LoadVerdict& verdict);

/// How late a query may be issued before it counts as late: a twentieth of the bound, at least
/// 0.1 ms; 1 ms without a bound.
double LateLimitSeconds(const LoadSettings& settings);

}  // namespace kenning
