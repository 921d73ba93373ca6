// SPDX-License-Identifier: Apache-2.0
/// \file
/// Derived figures: pure functions of raw samples. Each names its method.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kenning/core/measurement_log.h"

namespace kenning {

/// A two-sided interval; empty bounds where the samples cannot support it.
struct Interval {
  double low = 0;
  double high = 0;
};

/// The p-quantile with a distribution-free interval from order statistics (binomial).
struct Percentile {
  double p = 0;      ///< 0.5, 0.9, 0.99, 0.999
  double value = 0;  ///< Nearest-rank: the smallest sample with at least p of all at or below it.
  std::optional<Interval> interval;  ///< At `confidence`; empty: too few samples.
  std::uint64_t samples_needed =
      0;  ///< Further samples until the interval exists; 0 where it does.
};

/// Summary of durations in seconds.
struct LatencySummary {
  std::size_t count = 0;
  double first = 0, mean = 0, stddev = 0, median = 0, minimum = 0, maximum = 0;
  double confidence = 0.95;
  std::optional<Interval> mean_interval;  ///< Batch means (robust to autocorrelation).
  std::vector<Percentile> percentiles;    ///< 50, 90, 95, 99, 99.9
};
LatencySummary SummariseLatency(std::span<const double> seconds, double confidence = 0.95);
/// Durations of one step in one phase, in seconds per invoke, in order.
std::vector<double> StepSeconds(const MeasurementLog& log, Step step,
                                Phase phase = Phase::kMeasured);

/// Ratio of the medians of two independent runs (a / b) with an interval: Hodges-Lehmann style,
/// from a block bootstrap with a fixed seed. `resolved` is false where the interval contains 1.
struct RatioEstimate {
  double ratio = 1;
  Interval interval;
  bool resolved = false;
};
RatioEstimate CompareLatency(std::span<const double> a, std::span<const double> b,
                             double confidence = 0.95);

/// Wilson score interval of k successes of n.
Interval WilsonInterval(std::uint64_t k, std::uint64_t n, double confidence = 0.95);

/// Paired comparison of two classifiers over the same samples.
struct PairedAccuracy {
  std::uint64_t common = 0;  ///< Samples that both runs evaluated.
  std::uint64_t only_a_right = 0;
  std::uint64_t only_b_right = 0;
  double difference = 0;  ///< Accuracy of b minus accuracy of a, over the common samples.
  Interval interval;      ///< Of the difference (Newcombe's paired score interval).
  double p_value = 1;     ///< McNemar's exact two-sided (binomial) test.
  double detectable = 0;  ///< Smallest absolute difference this many samples could resolve.
  bool resolved = false;  ///< p_value < 1 - confidence.
};
/// `a`, `b`: right (true) or wrong per common sample, same order.
PairedAccuracy CompareAccuracy(const std::vector<bool>& a, const std::vector<bool>& b,
                               double confidence = 0.95);

}  // namespace kenning
