// SPDX-License-Identifier: Apache-2.0
#include "measure/early_stopping.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "measure/binomial.h"

namespace kenning {
namespace {

// MLPerf's published floors are 459 (p99, none over), 64 (p90, one over) and 662 (p99, one over);
// the others are from scipy.stats.binom at 99 % confidence.
TEST(EarlyStoppingTest, FewestQueriesOfTheTable) {
  struct Row {
    double p;
    std::uint64_t fewest[5];
  };
  constexpr std::uint64_t kOver[5] = {0, 1, 2, 5, 10};
  for (const Row& row :
       {Row{0.5, {7, 11, 14, 22, 35}}, Row{0.9, {44, 64, 81, 127, 197}},
        Row{0.95, {90, 130, 165, 259, 398}}, Row{0.99, {459, 662, 838, 1307, 2010}},
        Row{0.999, {4603, 6636, 8403, 13105, 20140}}}) {
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(FewestQueries(kOver[i], row.p, 0.99), row.fewest[i]) << row.p << " " << kOver[i];
    }
  }
}

TEST(EarlyStoppingTest, TheLogSumAgreesWithTheBetaFunction) {
  for (const std::uint64_t n : {1U, 10U, 459U, 100'000U, 1'000'000U}) {
    for (const double q : {0.001, 0.01, 0.1, 0.5, 0.9, 0.999}) {
      for (const double share : {0.0, 0.0005, 0.01, 0.1, 0.5, 0.95}) {
        const auto t = static_cast<std::uint64_t>(share * static_cast<double>(n));
        const double expected = BinomialCdf(static_cast<std::int64_t>(t), n, q);
        if (expected < 1e-290) continue;
        EXPECT_NEAR(LogBinomialCdf(t, n, q), std::log(expected), 1e-7) << n << " " << q << " " << t;
      }
    }
  }
  EXPECT_EQ(LogBinomialCdf(5, 5, 0.3), 0);
  // Far below what a double holds.
  EXPECT_NEAR(LogBinomialCdf(0, 1'000'000, 0.5), 1e6 * std::log(0.5), 1e-3);
}

TEST(EarlyStoppingTest, ABoundIsMetMissedOrOpen) {
  EXPECT_EQ(CheckBound(662, 1, 0.99, 0.99).state, BoundState::kMet);
  const BoundCheck open = CheckBound(661, 1, 0.99, 0.99);
  EXPECT_EQ(open.state, BoundState::kUndecided);
  EXPECT_EQ(open.more_needed, 1U);
  EXPECT_EQ(CheckBound(0, 0, 0.99, 0.99).more_needed, 459U);
  EXPECT_EQ(CheckBound(1000, 10, 0.99, 0.99).state, BoundState::kUndecided);
  // scipy: binom.sf(18, 1000, 0.01) = 0.0067, sf(17, …) = 0.0136.
  EXPECT_EQ(CheckBound(1000, 18, 0.99, 0.99).state, BoundState::kUndecided);
  EXPECT_EQ(CheckBound(1000, 19, 0.99, 0.99).state, BoundState::kMissed);
  EXPECT_EQ(CheckBound(3, 3, 0.99, 0.99).state, BoundState::kMissed);
}

TEST(EarlyStoppingTest, TheEstimateIsTheLargestThatMayBeOver) {
  std::vector<double> sorted(63);
  std::iota(sorted.begin(), sorted.end(), 1.0);
  const PercentileEstimate none = EstimatePercentile(sorted, 0.9, 0.99);
  EXPECT_FALSE(none.value);
  EXPECT_EQ(none.more_needed, 1U);
  sorted.push_back(64);
  EXPECT_EQ(EstimatePercentile(sorted, 0.9, 0.99).value, 64);  // t = 1: the largest.
  sorted.resize(197);
  std::iota(sorted.begin(), sorted.end(), 1.0);
  const PercentileEstimate ten = EstimatePercentile(sorted, 0.9, 0.99);
  EXPECT_EQ(ten.over, 10U);
  EXPECT_EQ(ten.value, 188);
  EXPECT_EQ(EstimatePercentile({}, 0.99, 0.99).more_needed, 662U);
}

TEST(EarlyStoppingTest, TheEstimateCoversThePercentileAsOftenAsItSays) {
  // Exponential latencies: the true 90th percentile is ln 10.
  std::mt19937_64 generator(5);
  std::exponential_distribution<double> latency(1.0);
  int covered = 0;
  constexpr int kRuns = 2000;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<double> sorted(200);
    for (double& value : sorted) value = latency(generator);
    std::ranges::sort(sorted);
    covered += *EstimatePercentile(sorted, 0.9, 0.99).value >= std::log(10.0) ? 1 : 0;
  }
  EXPECT_GE(covered, static_cast<int>(0.985 * kRuns));
}

}  // namespace
}  // namespace kenning
