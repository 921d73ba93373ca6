// SPDX-License-Identifier: Apache-2.0
#include "measure/early_stopping.h"

#include <algorithm>
#include <cmath>

#include "kenning/base/check.h"

namespace kenning {
namespace {

/// log of P[B = k].
double LogTerm(double k, double n, double q) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1) + k * std::log(q) +
         (n - k) * std::log1p(-q);
}

}  // namespace

double LogBinomialCdf(std::uint64_t t, std::uint64_t n, double q) {
  KENNING_CHECK(q > 0 && q < 1);
  if (t >= n) return 0;
  // The sum relative to its largest term: terms shrink geometrically to both sides of the mode.
  constexpr double kNegligible = 1e-18;
  const auto count = static_cast<double>(n);
  const double odds = q / (1 - q);
  const auto mode = static_cast<std::uint64_t>((count + 1) * q);
  const std::uint64_t largest = std::min(t, mode);
  double sum = 1;
  double term = 1;
  for (std::uint64_t k = largest; k > 0 && term > kNegligible * sum; --k) {
    term *= static_cast<double>(k) / (static_cast<double>(n - k) + 1) / odds;
    sum += term;
  }
  term = 1;
  for (std::uint64_t k = largest; k < t && term > kNegligible * sum; ++k) {
    term *= static_cast<double>(n - k) / (static_cast<double>(k) + 1) * odds;
    sum += term;
  }
  return std::min(0.0, LogTerm(static_cast<double>(largest), count, q) + std::log(sum));
}

std::uint64_t FewestQueries(std::uint64_t over, double p, double confidence) {
  KENNING_CHECK(p > 0 && p < 1 && confidence > 0 && confidence < 1);
  const double limit = std::log1p(-confidence);
  const auto enough = [&](std::uint64_t n) { return LogBinomialCdf(over, n, 1 - p) <= limit; };
  std::uint64_t low = over;  // Not enough: all of them may be over.
  std::uint64_t high = over + 1;
  while (!enough(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

BoundCheck CheckBound(std::uint64_t queries, std::uint64_t over, double p, double confidence) {
  if (queries > 0) {
    const double limit = std::log1p(-confidence);
    if (LogBinomialCdf(over, queries, 1 - p) <= limit) return {BoundState::kMet, 0};
    // As many or more over the bound: as few or fewer within it.
    if (over > 0 && LogBinomialCdf(queries - over, queries, p) <= limit) {
      return {BoundState::kMissed, 0};
    }
  }
  return {BoundState::kUndecided, FewestQueries(over, p, confidence) - queries};
}

PercentileEstimate EstimatePercentile(std::span<const double> sorted, double p, double confidence) {
  PercentileEstimate estimate;
  const std::uint64_t n = sorted.size();
  const double limit = std::log1p(-confidence);
  const auto allowed = [&](std::uint64_t t) {
    return t < n && LogBinomialCdf(t, n, 1 - p) <= limit;
  };
  if (!allowed(1)) {
    const std::uint64_t fewest = FewestQueries(1, p, confidence);
    estimate.more_needed = fewest > n ? fewest - n : 1;
    return estimate;
  }
  std::uint64_t low = 1;
  std::uint64_t high = n;
  while (high - low > 1) {
    const std::uint64_t middle = low + (high - low) / 2;
    (allowed(middle) ? low : high) = middle;
  }
  estimate.over = low;
  estimate.value = sorted[n - low];
  return estimate;
}

}  // namespace kenning
