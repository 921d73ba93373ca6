// SPDX-License-Identifier: Apache-2.0
#include "measure/load_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace kenning {
namespace {

using testing::HasSubstr;

TEST(LoadPatternTest, NamesGoBothWays) {
  for (int i = 0; i < kLoadPatternCount; ++i) {
    const auto pattern = static_cast<LoadPattern>(i);
    EXPECT_EQ(LoadPatternOf(LoadPatternName(pattern)), pattern);
  }
  EXPECT_FALSE(LoadPatternOf("Server"));
}

TEST(LoadPatternTest, DefaultsAreMlperfs) {
  EXPECT_EQ(DefaultLoadSettings(LoadPattern::kSingleStream).percentile, 0.9);
  EXPECT_EQ(QueriesToRun(DefaultLoadSettings(LoadPattern::kSingleStream)), 64U);
  EXPECT_EQ(QueriesToRun(DefaultLoadSettings(LoadPattern::kServer)), 662U);
  EXPECT_EQ(DefaultLoadSettings(LoadPattern::kMultiStream).samples_per_query, 8U);
  LoadSettings p999 = DefaultLoadSettings(LoadPattern::kServer);
  p999.percentile = 0.999;
  EXPECT_EQ(QueriesToRun(p999), 6636U);
}

std::string Problem(LoadPattern pattern, const std::function<void(LoadSettings&)>& change) {
  LoadSettings settings = DefaultLoadSettings(pattern);
  change(settings);
  const Result<> checked = CheckLoadSettings(settings);
  return checked ? "" : checked.error().message();
}

TEST(LoadPatternTest, SettingsThatMakeNoSense) {
  const auto with = [](auto change) { return change; };
  EXPECT_EQ(Problem(LoadPattern::kSingleStream, with([](LoadSettings&) {})), "");
  EXPECT_EQ(Problem(LoadPattern::kOffline, with([](LoadSettings& s) { s.streams = 4; })), "");
  EXPECT_THAT(Problem(LoadPattern::kServer, with([](LoadSettings&) {})), HasSubstr("needs a rate"));
  EXPECT_THAT(Problem(LoadPattern::kFindPeak, with([](LoadSettings&) {})),
              HasSubstr("needs a latency bound"));
  EXPECT_THAT(Problem(LoadPattern::kOffline, with([](LoadSettings& s) { s.rate_qps = 5; })),
              HasSubstr("no meaning"));
  EXPECT_THAT(Problem(LoadPattern::kServer, with([](LoadSettings& s) { s.rate_qps = NAN; })),
              HasSubstr("rate"));
  EXPECT_THAT(Problem(LoadPattern::kSingleStream, with([](LoadSettings& s) { s.streams = 2; })),
              HasSubstr("one stream"));
  EXPECT_THAT(Problem(LoadPattern::kOffline, with([](LoadSettings& s) { s.streams = 0; })),
              HasSubstr("streams"));
  EXPECT_THAT(Problem(LoadPattern::kOffline, with([](LoadSettings& s) { s.percentile = 1; })),
              HasSubstr("percentile 100"));
  EXPECT_THAT(Problem(LoadPattern::kOffline, with([](LoadSettings& s) { s.min_duration_s = 1e9; })),
              HasSubstr("contradict"));
  EXPECT_THAT(Problem(LoadPattern::kOffline, with([](LoadSettings& s) {
                        s.min_queries = 5;
                        s.max_queries = 4;
                      })),
              HasSubstr("contradict"));
}

/// Kolmogorov and Smirnov's distance of gaps from an exponential distribution.
double DistanceFromExponential(std::vector<double> gaps, double mean) {
  std::ranges::sort(gaps);
  double distance = 0;
  const auto n = static_cast<double>(gaps.size());
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    const double expected = 1 - std::exp(-gaps[i] / mean);
    distance = std::max({distance, std::abs(expected - static_cast<double>(i) / n),
                         std::abs(expected - static_cast<double>(i + 1) / n)});
  }
  return distance;
}

TEST(PoissonArrivalsTest, GapsAreExponentialAndIndependent) {
  constexpr int kCount = 20'000;
  constexpr double kRate = 1000;
  PoissonArrivals arrivals(kRate, 7);
  std::vector<double> gaps;
  std::int64_t last = 0;
  for (int i = 0; i < kCount; ++i) {
    const std::int64_t at = arrivals.Next();
    ASSERT_GE(at, last);
    gaps.push_back(static_cast<double>(at - last));
    last = at;
  }
  // The 1 % point of the distance is 1.63 / sqrt(n).
  EXPECT_LT(DistanceFromExponential(gaps, 1e9 / kRate), 1.63 / std::sqrt(double{kCount}));
  double lagged = 0;
  for (int i = 1; i < kCount; ++i) {
    lagged +=
        (gaps[static_cast<std::size_t>(i)] - 1e6) * (gaps[static_cast<std::size_t>(i - 1)] - 1e6);
  }
  EXPECT_LT(std::abs(lagged / kCount / 1e12), 3 / std::sqrt(double{kCount}));
  // A wrong distribution would have been seen.
  EXPECT_GT(DistanceFromExponential(gaps, 1.05e6), 1.63 / std::sqrt(double{kCount}));
}

TEST(PoissonArrivalsTest, TheSeedDecides) {
  PoissonArrivals a(100, 1);
  PoissonArrivals b(100, 1);
  PoissonArrivals c(100, 2);
  const std::int64_t first = a.Next();
  EXPECT_EQ(b.Next(), first);
  EXPECT_NE(c.Next(), first);
  // The same on every machine: the generator's first number is laid down by the C++ standard.
  EXPECT_EQ(PoissonArrivals(1000, 5489).Next(), 239'754);
}

TEST(SampleDrawTest, EvenOverThePool) {
  SampleDraw draw(10, 3);
  std::vector<int> counts(10);
  for (int i = 0; i < 10'000; ++i) ++counts[draw.Next()];
  for (const int count : counts) EXPECT_NEAR(count, 1000, 150);
  SampleDraw one(1, 3);
  EXPECT_EQ(one.Next(), 0U);
}

/// A search against a machine that passes up to `peak`.
PeakSearch Search(double start, double peak, int most_trials = 40) {
  PeakSearch search(start, 0.02, most_trials);
  int trials = 0;
  while (const auto rate = search.Next()) {
    search.Tell(*rate <= peak);
    EXPECT_LE(++trials, 40);
  }
  return search;
}

TEST(PeakSearchTest, ClosesInFromBothSides) {
  for (const double start : {1.0, 100.0, 777.0, 5000.0}) {
    const PeakSearch search = Search(start, 777);
    ASSERT_TRUE(search.passed() && search.failed()) << start;
    EXPECT_LE(*search.passed(), 777);
    EXPECT_GT(*search.failed(), 777);
    EXPECT_LE(*search.failed(), *search.passed() * 1.02);
  }
}

TEST(PeakSearchTest, EndsWhereThereIsNoPeak) {
  EXPECT_FALSE(Search(100, 0).passed());
  EXPECT_FALSE(Search(100, 1e12).failed());
  EXPECT_EQ(*Search(100, 1e12, 3).passed(), 400);
}

}  // namespace
}  // namespace kenning
