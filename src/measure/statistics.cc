// SPDX-License-Identifier: Apache-2.0
#include "measure/statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "kenning/base/check.h"
#include "measure/binomial.h"

namespace kenning {
namespace {

constexpr std::array<double, 5> kPercentiles = {0.5, 0.9, 0.95, 0.99, 0.999};
constexpr std::size_t kBatches = 20;
constexpr std::size_t kFewestForBatches = 100;
constexpr std::size_t kFewestToCompare = 20;

double Mean(std::span<const double> values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double StandardDeviation(std::span<const double> values, double mean) {
  if (values.size() < 2) return 0;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / static_cast<double>(values.size() - 1));
}

/// Middle value; the mean of the two middle ones where the count is even.
double MedianInPlace(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// Rank (from 1) of the nearest-rank p-quantile of n samples.
std::size_t NearestRank(double p, std::size_t n) {
  const auto rank = static_cast<std::size_t>(std::ceil(p * static_cast<double>(n) - 1e-9));
  return std::clamp<std::size_t>(rank, 1, n);
}

/// Largest rank l with P[B < l] <= tail; 0 where there is none. B counts samples below the
/// quantile.
std::size_t LowerRank(double p, std::size_t n, double tail) {
  std::size_t low = 0;
  std::size_t high = n;
  while (low < high) {
    const std::size_t middle = (low + high + 1) / 2;
    if (BinomialCdf(static_cast<std::int64_t>(middle) - 1, n, p) <= tail) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/// Smallest rank u with P[B >= u] <= tail; n + 1 where there is none.
std::size_t UpperRank(double p, std::size_t n, double tail) {
  std::size_t low = 1;
  std::size_t high = n + 1;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (1 - BinomialCdf(static_cast<std::int64_t>(middle) - 1, n, p) <= tail) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

/// Samples from which on both bounds exist: (1-p)^n and p^n are within a tail.
std::uint64_t FewestForInterval(double p, double tail) {
  const double rarer = std::max(p, 1 - p);
  return static_cast<std::uint64_t>(std::ceil(std::log(tail) / std::log(rarer) - 1e-9));
}

Percentile PercentileOf(std::span<const double> sorted, double p, double confidence) {
  const double tail = (1 - confidence) / 2;
  Percentile percentile;
  percentile.p = p;
  percentile.value = sorted[NearestRank(p, sorted.size()) - 1];
  const std::size_t lower = LowerRank(p, sorted.size(), tail);
  const std::size_t upper = UpperRank(p, sorted.size(), tail);
  if (lower >= 1 && upper <= sorted.size()) {
    percentile.interval = Interval{sorted[lower - 1], sorted[upper - 1]};
  } else {
    const std::uint64_t fewest = FewestForInterval(p, tail);
    percentile.samples_needed = fewest > sorted.size() ? fewest - sorted.size() : 1;
  }
  return percentile;
}

/// Interval of the mean from the means of 20 neighbouring batches: neighbouring samples are not
/// independent, batches nearly are.
std::optional<Interval> BatchMeansInterval(std::span<const double> values, double mean,
                                           double confidence) {
  if (values.size() < kFewestForBatches) return std::nullopt;
  std::vector<double> means;
  for (std::size_t b = 0; b < kBatches; ++b) {
    const std::size_t begin = b * values.size() / kBatches;
    const std::size_t end = (b + 1) * values.size() / kBatches;
    means.push_back(Mean(values.subspan(begin, end - begin)));
  }
  const double t = StudentQuantile(1 - (1 - confidence) / 2, kBatches - 1);
  const double half = t * StandardDeviation(means, Mean(means)) / std::sqrt(double{kBatches});
  return Interval{mean - half, mean + half};
}

/// Median of one moving-block resample.
double ResampledMedian(std::span<const double> values, std::mt19937_64& generator,
                       std::vector<double>& scratch) {
  // Blocks of the cube root of n keep the short-range dependence of latencies.
  const auto block = static_cast<std::size_t>(
      std::max(1.0, std::round(std::cbrt(static_cast<double>(values.size())))));
  scratch.clear();
  while (scratch.size() < values.size()) {
    const std::size_t start = generator() % (values.size() - block + 1);
    const std::size_t count = std::min(block, values.size() - scratch.size());
    scratch.insert(scratch.end(), values.begin() + static_cast<std::ptrdiff_t>(start),
                   values.begin() + static_cast<std::ptrdiff_t>(start + count));
  }
  return MedianInPlace(scratch);
}

/// Two-sided exact McNemar p-value: twice the smaller tail of Binomial(b + c, 1/2).
double McNemarExact(std::uint64_t b, std::uint64_t c) {
  const std::uint64_t n = b + c;
  if (n == 0) return 1;
  return std::min(1.0, 2 * BinomialCdf(static_cast<std::int64_t>(std::min(b, c)), n, 0.5));
}

/// Newcombe (1998), method 10: score intervals of the two proportions joined by their correlation.
Interval PairedDifference(std::uint64_t both, std::uint64_t only_a, std::uint64_t only_b,
                          std::uint64_t neither, double confidence) {
  const std::uint64_t n = both + only_a + only_b + neither;
  const auto d = [](std::uint64_t value) { return static_cast<double>(value); };
  const double pa = d(both + only_a) / d(n);
  const double pb = d(both + only_b) / d(n);
  const Interval a = WilsonInterval(both + only_a, n, confidence);
  const Interval b = WilsonInterval(both + only_b, n, confidence);
  const double margins = std::sqrt(d(both + only_a)) * std::sqrt(d(only_b + neither)) *
                         std::sqrt(d(both + only_b)) * std::sqrt(d(only_a + neither));
  double phi = 0;
  if (margins > 0) {
    double cross = d(both) * d(neither) - d(only_a) * d(only_b);
    if (cross > 0) cross = std::max(cross - d(n) / 2, 0.0);
    phi = cross / margins;
  }
  const double difference = pb - pa;
  const auto half = [phi](double x, double y) {
    return std::sqrt(std::max(0.0, x * x - 2 * phi * x * y + y * y));
  };
  return {difference - half(pb - b.low, a.high - pa), difference + half(b.high - pb, pa - a.low)};
}

/// Smallest difference that `n` pairs with as many discordant ones as seen (at least six) can
/// resolve.
double DetectableDifference(std::uint64_t n, std::uint64_t discordant, double confidence) {
  const std::uint64_t m = std::max<std::uint64_t>(discordant, 6);
  for (std::uint64_t more = (m + 1) / 2; more <= m; ++more) {
    if (McNemarExact(more, m - more) < 1 - confidence) {
      return static_cast<double>(2 * more - m) / static_cast<double>(n);
    }
  }
  return 1;
}

}  // namespace

LatencySummary SummariseLatency(std::span<const double> seconds, double confidence) {
  LatencySummary summary;
  summary.count = seconds.size();
  summary.confidence = confidence;
  if (seconds.empty()) return summary;
  std::vector<double> sorted(seconds.begin(), seconds.end());
  std::ranges::sort(sorted);
  summary.first = seconds.front();
  summary.mean = Mean(seconds);
  summary.stddev = StandardDeviation(seconds, summary.mean);
  summary.minimum = sorted.front();
  summary.maximum = sorted.back();
  const std::size_t half = sorted.size() / 2;
  summary.median = sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  summary.mean_interval = BatchMeansInterval(seconds, summary.mean, confidence);
  for (const double p : kPercentiles) {
    summary.percentiles.push_back(PercentileOf(sorted, p, confidence));
  }
  return summary;
}

std::vector<double> StepSeconds(const MeasurementLog& log, Step step, Phase phase) {
  std::vector<double> seconds;
  for (const Observation& observation : log.observations) {
    if (observation.step != step || observation.phase != phase) continue;
    seconds.push_back(static_cast<double>(observation.end_ns - observation.start_ns) * 1e-9);
  }
  return seconds;
}

RatioEstimate CompareLatency(std::span<const double> a, std::span<const double> b,
                             double confidence) {
  RatioEstimate estimate;
  if (a.empty() || b.empty()) return estimate;
  std::vector<double> scratch(a.begin(), a.end());
  const double median_a = MedianInPlace(scratch);
  scratch.assign(b.begin(), b.end());
  const double median_b = MedianInPlace(scratch);
  if (median_b <= 0 || median_a <= 0) return estimate;
  estimate.ratio = median_a / median_b;
  constexpr int kResamples = 400;
  constexpr std::uint64_t kSeed = 20260101;
  std::mt19937_64 generator(kSeed);
  std::vector<double> ratios;
  for (int i = 0; i < kResamples; ++i) {
    const double resampled_a = ResampledMedian(a, generator, scratch);
    ratios.push_back(resampled_a / ResampledMedian(b, generator, scratch));
  }
  std::ranges::sort(ratios);
  const double tail = (1 - confidence) / 2;
  estimate.interval = {ratios[NearestRank(tail, kResamples) - 1],
                       ratios[NearestRank(1 - tail, kResamples) - 1]};
  const bool enough = a.size() >= kFewestToCompare && b.size() >= kFewestToCompare;
  estimate.resolved = enough && (estimate.interval.low > 1 || estimate.interval.high < 1);
  return estimate;
}

Interval WilsonInterval(std::uint64_t k, std::uint64_t n, double confidence) {
  if (n == 0) return {0, 1};
  const double z = NormalQuantile(1 - (1 - confidence) / 2);
  const auto count = static_cast<double>(n);
  const double p = static_cast<double>(k) / count;
  const double centre = (p + z * z / (2 * count)) / (1 + z * z / count);
  const double half =
      z / (1 + z * z / count) * std::sqrt(p * (1 - p) / count + z * z / (4 * count * count));
  return {k == 0 ? 0.0 : centre - half, k == n ? 1.0 : centre + half};
}

PairedAccuracy CompareAccuracy(const std::vector<bool>& a, const std::vector<bool>& b,
                               double confidence) {
  KENNING_CHECK(a.size() == b.size());
  PairedAccuracy result;
  result.common = a.size();
  if (a.empty()) return result;
  std::uint64_t both = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += a[i] && b[i] ? 1U : 0U;
    result.only_a_right += a[i] && !b[i] ? 1U : 0U;
    result.only_b_right += !a[i] && b[i] ? 1U : 0U;
  }
  const std::uint64_t discordant = result.only_a_right + result.only_b_right;
  const std::uint64_t neither = result.common - both - discordant;
  result.difference =
      (static_cast<double>(result.only_b_right) - static_cast<double>(result.only_a_right)) /
      static_cast<double>(result.common);
  result.interval =
      PairedDifference(both, result.only_a_right, result.only_b_right, neither, confidence);
  result.p_value = McNemarExact(result.only_a_right, result.only_b_right);
  result.detectable = DetectableDifference(result.common, discordant, confidence);
  result.resolved = result.p_value < 1 - confidence;
  return result;
}

}  // namespace kenning
