// SPDX-License-Identifier: Apache-2.0
#include "measure/load_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "measure/load_pattern.h"

namespace kenning {
namespace {

/// More late queries than this, and it was another load than was asked for.
constexpr double kMostLate = 0.01;

double Seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

std::string Milliseconds(double seconds) { return fmt::format("{:.3g} ms", seconds * 1e3); }

std::string PercentileName(double p) { return fmt::format("p{:g}", 100 * p); }

/// Everything that can be counted, without judging it.
LoadVerdict Figures(std::span<const QueryTimes> queries, const LoadRun& run) {
  const LoadSettings& settings = run.settings;
  LoadVerdict verdict;
  verdict.queries = queries.size();
  verdict.late_limit_s = LateLimitSeconds(settings);
  std::vector<double> latencies;
  latencies.reserve(queries.size());
  std::uint64_t late = 0;
  std::int64_t last_ns = queries.empty() ? 0 : queries.front().scheduled_ns;
  for (const QueryTimes& query : queries) {
    late += Seconds(query.issued_ns - query.scheduled_ns) > verdict.late_limit_s ? 1U : 0U;
    if (query.completed_ns == 0) {
      ++verdict.given_up;
      continue;
    }
    last_ns = std::max(last_ns, query.completed_ns);
    latencies.push_back(Seconds(query.completed_ns - query.scheduled_ns));
    verdict.over_bound += settings.latency_bound_ns > 0 && query.completed_ns - query.scheduled_ns >
                                                               settings.latency_bound_ns
                              ? 1U
                              : 0U;
  }
  verdict.over_bound += verdict.given_up;
  if (queries.empty()) return verdict;
  verdict.late_share = static_cast<double>(late) / static_cast<double>(queries.size());
  verdict.duration_s = Seconds(last_ns - queries.front().scheduled_ns);
  if (verdict.duration_s > 0) {
    verdict.queries_per_s = static_cast<double>(latencies.size()) / verdict.duration_s;
    verdict.samples_per_s = verdict.queries_per_s * static_cast<double>(settings.samples_per_query);
  }
  verdict.latency = SummariseLatency(latencies, settings.confidence);
  std::ranges::sort(latencies);
  verdict.estimate = EstimatePercentile(latencies, settings.percentile, settings.confidence);
  return verdict;
}

void Set(LoadVerdict& verdict, LoadState state, std::string reason) {
  verdict.state = state;
  verdict.reason = std::move(reason);
}

/// What all patterns ask for. False where the verdict is made.
bool JudgeCommon(const LoadRun& run, LoadVerdict& verdict) {
  const LoadSettings& settings = run.settings;
  if (verdict.queries == 0) {
    Set(verdict, LoadState::kInvalid, "no query was run");
    return false;
  }
  if (verdict.given_up > 0) {
    Set(verdict, LoadState::kInvalid,
        fmt::format("{} of {} queries were given up", verdict.given_up, verdict.queries));
    return false;
  }
  if (verdict.late_share > kMostLate) {
    Set(verdict, LoadState::kInvalid,
        fmt::format("{:.2g} % of the queries were issued more than {} late: the host could not "
                    "keep the schedule",
                    100 * verdict.late_share, Milliseconds(verdict.late_limit_s)));
    return false;
  }
  if (verdict.duration_s < settings.min_duration_s) {
    Set(verdict, LoadState::kNeedsMore,
        fmt::format("{:.3g} s of at least {:g} s", verdict.duration_s, settings.min_duration_s));
    return false;
  }
  return true;
}

void JudgeStreams(const LoadRun& run, LoadVerdict& verdict) {
  const LoadSettings& settings = run.settings;
  if (!JudgeCommon(run, verdict)) return;
  const std::uint64_t few =
      settings.min_queries > verdict.queries ? settings.min_queries - verdict.queries : 0;
  const std::uint64_t more = std::max(few, verdict.estimate.more_needed);
  if (more > 0) {
    return Set(verdict, LoadState::kNeedsMore,
               fmt::format("{} more queries for {} at {:g} % confidence", more,
                           PercentileName(settings.percentile), 100 * settings.confidence));
  }
  if (settings.latency_bound_ns > 0 &&
      *verdict.estimate.value > Seconds(settings.latency_bound_ns)) {
    const BoundCheck check =
        CheckBound(verdict.queries, verdict.over_bound, settings.percentile, settings.confidence);
    if (check.state != BoundState::kMet) {
      return Set(
          verdict, LoadState::kInvalid,
          fmt::format("{} is up to {}, over the bound of {}", PercentileName(settings.percentile),
                      Milliseconds(*verdict.estimate.value),
                      Milliseconds(Seconds(settings.latency_bound_ns))));
    }
  }
  Set(verdict, LoadState::kValid, "");
}

void JudgeServer(std::span<const QueryTimes> queries, const LoadRun& run, LoadVerdict& verdict) {
  const LoadSettings& settings = run.settings;
  if (settings.latency_bound_ns == 0) return JudgeStreams(run, verdict);
  std::uint64_t over = 0;
  const BoundCheck check = CheckServerBound(queries, settings, over);
  const std::string bound = fmt::format("{} of {} queries took more than {}", over, queries.size(),
                                        Milliseconds(Seconds(settings.latency_bound_ns)));
  // First, as a missed bound is the reason for queries that were given up.
  if (check.state == BoundState::kMissed) {
    return Set(verdict, LoadState::kInvalid,
               fmt::format("{}: {} is over it", bound, PercentileName(settings.percentile)));
  }
  if (!JudgeCommon(run, verdict)) return;
  const std::uint64_t few =
      settings.min_queries > verdict.queries ? settings.min_queries - verdict.queries : 0;
  if (check.state == BoundState::kUndecided || few > 0) {
    return Set(verdict, LoadState::kNeedsMore,
               fmt::format("{}; {} more queries within it for {} at {:g} % confidence", bound,
                           std::max(few, check.more_needed), PercentileName(settings.percentile),
                           100 * settings.confidence));
  }
  Set(verdict, LoadState::kValid, "");
}

void JudgeOffline(const LoadRun& run, LoadVerdict& verdict) {
  if (!JudgeCommon(run, verdict)) return;
  Set(verdict, LoadState::kValid, "");
}

std::span<const QueryTimes> QueriesOf(const LoadRun& run, const LoadTrial& trial) {
  const std::size_t first = std::min<std::size_t>(trial.first_query, run.queries.size());
  return std::span(run.queries)
      .subspan(first, std::min<std::size_t>(trial.queries, run.queries.size() - first));
}

/// The highest rate below every one that failed; of those that were confirmed, if there are any.
const LoadTrial* BestTrial(const LoadRun& run, std::optional<double> failed) {
  const LoadTrial* best = nullptr;
  for (const LoadTrial& trial : run.trials) {
    if (failed && trial.rate_qps >= *failed) continue;
    const bool better = best == nullptr || (trial.confirms && !best->confirms) ||
                        (trial.confirms == best->confirms && trial.rate_qps > best->rate_qps);
    if (better) best = &trial;
  }
  return best;
}

LoadVerdict JudgePeak(const LoadRun& run) {
  std::optional<double> failed;
  for (const LoadTrial& trial : run.trials) {
    std::uint64_t over = 0;
    if (CheckServerBound(QueriesOf(run, trial), run.settings, over).state != BoundState::kMet) {
      failed = std::min(failed.value_or(trial.rate_qps), trial.rate_qps);
    }
  }
  const LoadTrial* const best = BestTrial(run, failed);
  if (best == nullptr) {
    LoadVerdict verdict = Figures(run.queries, run);
    verdict.next_qps = failed;
    if (run.trials.empty()) {
      Set(verdict, LoadState::kInvalid, "no rate was tried");
      return verdict;
    }
    const LoadTrial& last = run.trials.back();
    std::uint64_t over = 0;
    const BoundCheck check = CheckServerBound(QueriesOf(run, last), run.settings, over);
    if (check.state == BoundState::kUndecided) {
      Set(verdict, LoadState::kNeedsMore,
          fmt::format("{} more queries in the trial at {:.4g} queries/s: a longer --max-duration",
                      check.more_needed, last.rate_qps));
    } else {
      Set(verdict, LoadState::kInvalid, "no rate that was tried keeps the bound");
    }
    return verdict;
  }
  LoadVerdict verdict = Figures(QueriesOf(run, *best), run);
  JudgeServer(QueriesOf(run, *best), run, verdict);
  verdict.peak_qps = best->rate_qps;
  verdict.next_qps = failed;
  if (verdict.state != LoadState::kValid) return verdict;
  if (!failed) {
    Set(verdict, LoadState::kNeedsMore, "no rate that was tried is too high: the search was cut");
  } else if (!best->confirms) {
    Set(verdict, LoadState::kNeedsMore, "the best rate was not confirmed by a second run");
  }
  return verdict;
}

}  // namespace

double LateLimitSeconds(const LoadSettings& settings) {
  if (settings.latency_bound_ns == 0) return 1e-3;
  return std::max(1e-4, Seconds(settings.latency_bound_ns) / 20);
}

BoundCheck CheckServerBound(std::span<const QueryTimes> queries, const LoadSettings& settings,
                            std::uint64_t& over) {
  over = static_cast<std::uint64_t>(std::ranges::count_if(queries, [&](const QueryTimes& query) {
    return query.completed_ns == 0 ||
           query.completed_ns - query.scheduled_ns > settings.latency_bound_ns;
  }));
  return CheckBound(queries.size(), over, settings.percentile, settings.confidence);
}

LoadVerdict JudgeLoad(const LoadRun& run) {
  if (run.settings.pattern == LoadPattern::kFindPeak) return JudgePeak(run);
  LoadVerdict verdict = Figures(run.queries, run);
  switch (run.settings.pattern) {
    case LoadPattern::kSingleStream:
    case LoadPattern::kMultiStream:
      JudgeStreams(run, verdict);
      break;
    case LoadPattern::kOffline:
      JudgeOffline(run, verdict);
      break;
    default:
      JudgeServer(run.queries, run, verdict);
  }
  return verdict;
}

std::string VerdictLine(const LoadVerdict& verdict) {
  switch (verdict.state) {
    case LoadState::kValid:
      return "VALID";
    case LoadState::kInvalid:
      return "INVALID because " + verdict.reason;
    case LoadState::kNeedsMore:
      return "NEEDS MORE: " + verdict.reason;
  }
  return "";
}

}  // namespace kenning
