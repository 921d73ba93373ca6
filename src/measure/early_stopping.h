// SPDX-License-Identifier: Apache-2.0
/// \file
/// How many queries a statement about a latency percentile needs: the rule by which MLPerf's
/// LoadGen stops early (github.com/mlcommons/inference, loadgen/early_stopping.h), computed from
/// the binomial distribution itself.
///
/// If a share of at least 1 - p of all queries were over a bound, then as few as t over it among n
/// would be seen with a probability of P[Binomial(n, 1 - p) <= t]. Where that is at most
/// 1 - confidence, the percentile p is within the bound at that confidence.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace kenning {

/// log P[B <= t] for B ~ Binomial(n, q), 0 < q < 1; exact in log space.
double LogBinomialCdf(std::uint64_t t, std::uint64_t n, double q);

/// The fewest queries in all among which `over` may be over the bound. \pre 0 < p < 1
std::uint64_t FewestQueries(std::uint64_t over, double p, double confidence);

/// How a bound at a percentile stands.
enum class BoundState : std::uint8_t {
  kMet,        ///< At the confidence that was asked for.
  kMissed,     ///< At the same confidence.
  kUndecided,  ///< Neither.
};
struct BoundCheck {
  BoundState state = BoundState::kUndecided;
  std::uint64_t more_needed = 0;  ///< Queries, if none of them is over the bound; 0 unless
                                  ///< undecided.
};
BoundCheck CheckBound(std::uint64_t queries, std::uint64_t over, double p, double confidence);

/// A latency that the percentile p does not exceed, at a confidence. LoadGen's estimate: the t-th
/// largest latency, where t is the most that may be over a bound.
struct PercentileEstimate {
  std::optional<double> value;    ///< Empty: too few queries even for t = 1.
  std::uint64_t over = 0;         ///< t
  std::uint64_t more_needed = 0;  ///< Queries until there is a value.
};
/// `sorted`: ascending.
PercentileEstimate EstimatePercentile(std::span<const double> sorted, double p, double confidence);

}  // namespace kenning
