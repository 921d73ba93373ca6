// SPDX-License-Identifier: Apache-2.0
#include "measure/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "measure/binomial.h"

namespace kenning {
namespace {

std::vector<double> OneTo(std::size_t n) {
  std::vector<double> values(n);
  std::iota(values.begin(), values.end(), 1.0);
  std::shuffle(values.begin(), values.end(), std::mt19937(4));
  return values;
}

// scipy.stats: binom.cdf, norm.ppf, t.ppf.
TEST(BinomialTest, AgreesWithScipy) {
  EXPECT_NEAR(BinomialCdf(7, 20, 0.3), 0.7722717974181608, 1e-12);
  EXPECT_NEAR(BinomialCdf(989, 1000, 0.99), 0.4169591966989028, 1e-10);
  EXPECT_NEAR(BinomialCdf(999100, 1000000, 0.999), 0.9993808124898681, 1e-8);
  EXPECT_NEAR(BinomialCdf(0, 44, 0.9) / 1e-44, 1.0, 1e-9);
  EXPECT_EQ(BinomialCdf(-1, 10, 0.5), 0);
  EXPECT_EQ(BinomialCdf(10, 10, 0.5), 1);
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(NormalQuantile(0.999), 3.090232306167813, 1e-12);
  EXPECT_NEAR(StudentQuantile(0.975, 19), 2.0930240544083087, 1e-4);
}

// Ranks from the definition with scipy.stats.binom, 95 %: the largest l with cdf(l - 1) <= 0.025
// and the smallest u with sf(u - 1) <= 0.025.
TEST(PercentileTest, IntervalsAreTheBinomialOrderStatistics) {
  struct Expected {
    std::size_t n;
    std::size_t index;
    double low;
    double high;
  };
  for (const Expected& e :
       {Expected{10, 0, 2, 9}, Expected{100, 0, 40, 61}, Expected{100, 1, 84, 96},
        Expected{1000, 3, 983, 997}, Expected{5000, 4, 4990, 5000}}) {
    const LatencySummary summary = SummariseLatency(OneTo(e.n));
    const Percentile& percentile = summary.percentiles[e.index];
    ASSERT_TRUE(percentile.interval) << e.n;
    EXPECT_EQ(percentile.interval->low, e.low) << e.n;
    EXPECT_EQ(percentile.interval->high, e.high) << e.n;
    EXPECT_EQ(percentile.samples_needed, 0U);
  }
}

TEST(PercentileTest, TooFewSamplesSayHowManyMore) {
  const LatencySummary summary = SummariseLatency(OneTo(100));
  EXPECT_FALSE(summary.percentiles[3].interval);
  EXPECT_EQ(summary.percentiles[3].samples_needed, 368U - 100U);
  EXPECT_FALSE(summary.percentiles[4].interval);
  EXPECT_EQ(summary.percentiles[4].samples_needed, 3688U - 100U);
  // With exactly that many the interval is there.
  EXPECT_TRUE(SummariseLatency(OneTo(368)).percentiles[3].interval);
}

TEST(SummaryTest, FiguresOfAKnownSequence) {
  const LatencySummary summary = SummariseLatency(std::vector<double>{4, 1, 3, 2});
  EXPECT_EQ(summary.first, 4);
  EXPECT_EQ(summary.mean, 2.5);
  EXPECT_EQ(summary.median, 2.5);
  EXPECT_NEAR(summary.stddev, 1.2909944487358056, 1e-12);
  EXPECT_EQ(summary.minimum, 1);
  EXPECT_EQ(summary.maximum, 4);
  EXPECT_EQ(summary.percentiles[0].value, 2);
  EXPECT_FALSE(summary.mean_interval);
  EXPECT_EQ(SummariseLatency({}).count, 0U);
}

TEST(SummaryTest, BatchMeansWidenForDependentSamples) {
  std::mt19937 generator(7);
  std::normal_distribution<double> noise;
  std::vector<double> independent;
  std::vector<double> dependent;
  double state = 0;
  for (int i = 0; i < 4000; ++i) {
    independent.push_back(10 + noise(generator));
    state = 0.95 * state + noise(generator) * std::sqrt(1 - 0.95 * 0.95);
    dependent.push_back(10 + state);
  }
  const auto width = [](const std::vector<double>& values) {
    const LatencySummary summary = SummariseLatency(values);
    return summary.mean_interval->high - summary.mean_interval->low;
  };
  EXPECT_GT(width(dependent), 2.5 * width(independent));
}

TEST(CompareLatencyTest, ResolvesWhatIsThereAndOnlyThat) {
  std::mt19937 generator(11);
  std::normal_distribution<double> noise(1.0, 0.05);
  std::vector<double> a;
  std::vector<double> b;
  std::vector<double> same;
  for (int i = 0; i < 2000; ++i) {
    a.push_back(2 * noise(generator));
    b.push_back(noise(generator));
    same.push_back(noise(generator));
  }
  const RatioEstimate twice = CompareLatency(a, b);
  EXPECT_TRUE(twice.resolved);
  EXPECT_NEAR(twice.ratio, 2, 0.02);
  EXPECT_LT(twice.interval.low, 2.0);
  EXPECT_GT(twice.interval.high, 2.0);
  EXPECT_FALSE(CompareLatency(b, b).resolved);
  const std::vector<double> few(a.begin(), a.begin() + 10);
  EXPECT_FALSE(CompareLatency(few, b).resolved);
  // The seed is fixed: the same samples give the same interval.
  EXPECT_EQ(CompareLatency(a, same).interval.low, CompareLatency(a, same).interval.low);
}

// statsmodels: proportion_confint(method="wilson").
TEST(WilsonTest, AgreesWithStatsmodels) {
  EXPECT_NEAR(WilsonInterval(81, 263).low, 0.2552885198782742, 1e-12);
  EXPECT_NEAR(WilsonInterval(81, 263).high, 0.36620957698280004, 1e-12);
  EXPECT_NEAR(WilsonInterval(15, 148).low, 0.06238639953073628, 1e-12);
  EXPECT_EQ(WilsonInterval(0, 20).low, 0);
  EXPECT_NEAR(WilsonInterval(0, 20).high, 0.1611251580528194, 1e-12);
  EXPECT_NEAR(WilsonInterval(29, 29).low, 0.8830302015002592, 1e-12);
  EXPECT_EQ(WilsonInterval(29, 29).high, 1);
}

PairedAccuracy Compare(int both, int only_a, int only_b, int neither) {
  std::vector<bool> a;
  std::vector<bool> b;
  const auto add = [&](int count, bool right_a, bool right_b) {
    a.insert(a.end(), static_cast<std::size_t>(count), right_a);
    b.insert(b.end(), static_cast<std::size_t>(count), right_b);
  };
  add(both, true, true);
  add(only_a, true, false);
  add(only_b, false, true);
  add(neither, false, false);
  return CompareAccuracy(a, b);
}

// p-values: statsmodels mcnemar(exact=True). Interval: Newcombe (1998), method 10; the first row is
// the paper's own example.
TEST(CompareAccuracyTest, AgreesWithPublishedFigures) {
  const PairedAccuracy paper = Compare(36, 12, 2, 0);
  EXPECT_NEAR(paper.difference, -0.2, 1e-12);
  EXPECT_NEAR(paper.interval.low, -0.3404276029749408, 1e-9);
  EXPECT_NEAR(paper.interval.high, -0.05692958400323875, 1e-9);
  const PairedAccuracy many = Compare(9000, 60, 40, 900);
  EXPECT_NEAR(many.interval.low, -0.004001432900170285, 1e-9);
  EXPECT_NEAR(many.interval.high, -1.469313082029999e-05, 1e-9);
  EXPECT_NEAR(Compare(10, 5, 12, 0).p_value, 0.143463134765625, 1e-12);
  EXPECT_NEAR(Compare(10, 0, 3, 0).p_value, 0.25, 1e-12);
  EXPECT_NEAR(Compare(10, 20, 21, 0).p_value, 1.0, 1e-12);
  EXPECT_NEAR(Compare(10, 1, 9, 0).p_value, 0.021484375, 1e-12);
  EXPECT_NEAR(Compare(10, 100, 150, 0).p_value, 0.0018833009350761602, 1e-12);
}

TEST(CompareAccuracyTest, SaysWhatItCouldHaveSeen) {
  const PairedAccuracy noise = Compare(900, 11, 9, 80);
  EXPECT_FALSE(noise.resolved);
  EXPECT_NEAR(noise.detectable, (15.0 - 5.0) / 1000, 1e-12);
  const PairedAccuracy equal = Compare(100, 0, 0, 0);
  EXPECT_EQ(equal.p_value, 1);
  EXPECT_NEAR(equal.detectable, 0.06, 1e-12);
  EXPECT_TRUE(Compare(900, 40, 9, 51).resolved);
}

TEST(StepSecondsTest, SeparatesStepsAndPhases) {
  MeasurementLog log;
  log.observations = {{0, 1000, 0, 1, Step::kInference, Phase::kWarmUp},
                      {0, 2000, 0, 1, Step::kInference, Phase::kMeasured},
                      {0, 3000, 0, 1, Step::kLoad, Phase::kMeasured}};
  EXPECT_THAT(StepSeconds(log, Step::kInference),
              testing::ElementsAre(testing::DoubleNear(2e-6, 1e-15)));
}

}  // namespace
}  // namespace kenning
