// SPDX-License-Identifier: Apache-2.0
/// \file
/// Load patterns: names and checks of their settings, when queries come, which samples they hold,
/// and where find-peak looks next. Pure; running is app/load_run.h's business.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

#include "kenning/base/result.h"
#include "kenning/core/load_run.h"
#include "measure/early_stopping.h"

namespace kenning {

/// "single-stream", …: names on the command line and in files; they never change.
std::string_view LoadPatternName(LoadPattern pattern);
std::optional<LoadPattern> LoadPatternOf(std::string_view name);

/// As MLPerf has them: p90 for single-stream, p99 for the others; multi-stream: 8 samples a query.
LoadSettings DefaultLoadSettings(LoadPattern pattern);
/// \return kInvalidScenario naming the setting.
Result<> CheckLoadSettings(const LoadSettings& settings);

/// Queries that a run must have: settings.min_queries, or as many as the percentile needs.
std::uint64_t QueriesToRun(const LoadSettings& settings);

/// Arrivals of a Poisson process: the same seed gives the same times on every machine.
class PoissonArrivals {
 public:
  PoissonArrivals(double rate_qps, std::uint64_t seed);
  /// Nanoseconds from the start to the next arrival.
  std::int64_t Next();

 private:
  std::mt19937_64 generator_;
  double mean_ns_;
  double at_ns_ = 0;
};

/// Which samples of the pool queries hold: drawn evenly, with replacement.
class SampleDraw {
 public:
  SampleDraw(std::uint32_t pool, std::uint64_t seed);
  std::uint32_t Next();

 private:
  std::mt19937_64 generator_;
  std::uint64_t pool_;
};

/// The search for the highest rate that keeps a bound: doubling until one fails (or halving until
/// one passes), then bisection. Knows rates and outcomes only.
class PeakSearch {
 public:
  /// Ends where the highest passed and the lowest failed rate are within `tolerance` of each other,
  /// or after `most_trials`.
  PeakSearch(double start_qps, double tolerance, int most_trials);
  /// The rate to try next; empty: the search is over.
  std::optional<double> Next() const;
  /// Tells how the trial at Next() went. An undecided trial counts as failed.
  void Tell(bool passed);
  std::optional<double> passed() const { return passed_; }
  std::optional<double> failed() const { return failed_; }

 private:
  double next_;
  double tolerance_;
  int trials_left_;
  std::optional<double> passed_;
  std::optional<double> failed_;
};

}  // namespace kenning
