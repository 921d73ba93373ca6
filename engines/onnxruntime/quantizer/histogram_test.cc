// SPDX-License-Identifier: Apache-2.0
#include "quantizer/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "quantizer/activation_range.h"

namespace kenning::quantizer {
namespace {

std::vector<float> Normal(std::size_t count, unsigned seed, float spread = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, spread);
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

TEST(HistogramTest, EveryValueIsInTheBinThatCoversIt) {
  Histogram histogram;
  const std::vector<float> values = {-3.0F, -0.5F, 0.0F, 0.001F, 0.5F, 2.999F};
  histogram.Add(values);
  EXPECT_EQ(histogram.count(), values.size());
  EXPECT_EQ(histogram.minimum(), -3.0F);
  EXPECT_EQ(histogram.maximum(), 2.999F);
  EXPECT_EQ(histogram.limit(), 4.0);
  for (const float value : values) {
    const auto bin = static_cast<std::size_t>((static_cast<double>(value) + histogram.limit()) /
                                              histogram.bin_width());
    EXPECT_GT(histogram.bins()[bin], 0U) << value;
  }
}

TEST(HistogramTest, TheOrderOfValuesAndTheWayOfMergingDoNotMatter) {
  std::vector<float> values = Normal(10'000, 1);
  values.push_back(900.0F);
  values.push_back(-0.001F);
  Histogram at_once;
  at_once.Add(values);
  std::ranges::reverse(values);
  Histogram one_by_one;
  for (const float value : values) one_by_one.Add({&value, 1});
  EXPECT_TRUE(std::ranges::equal(at_once.bins(), one_by_one.bins()));
  Histogram left;
  Histogram right;
  left.Add(std::span(values).subspan(0, 3000));
  right.Add(std::span(values).subspan(3000));
  Histogram merged = right;
  merged.Merge(left);
  left.Merge(right);
  EXPECT_TRUE(std::ranges::equal(at_once.bins(), merged.bins()));
  EXPECT_TRUE(std::ranges::equal(at_once.bins(), left.bins()));
  EXPECT_EQ(merged.count(), at_once.count());
  EXPECT_EQ(merged.minimum(), at_once.minimum());
}

TEST(HistogramTest, ItsSizeDoesNotDependOnTheValues) {
  Histogram histogram;
  histogram.Add(Normal(200'000, 1, 1e-9F));
  histogram.Add(Normal(10, 2, 1e30F));
  EXPECT_EQ(histogram.bins().size(), Histogram::kBins);
  EXPECT_EQ(std::accumulate(histogram.bins().begin(), histogram.bins().end(), std::uint64_t{0}),
            200'010U);
}

TEST(HistogramTest, WhatIsNotFiniteIsCountedApart) {
  Histogram histogram;
  histogram.Add(std::vector<float>{1, std::numeric_limits<float>::quiet_NaN(),
                                   -std::numeric_limits<float>::infinity()});
  EXPECT_EQ(histogram.count(), 1U);
  EXPECT_EQ(histogram.non_finite(), 2U);
  EXPECT_EQ(histogram.maximum(), 1.0F);
  Histogram empty;
  empty.Merge(histogram);
  EXPECT_EQ(empty.non_finite(), 2U);
  EXPECT_EQ(empty.minimum(), 1.0F);
}

Range RangeBy(RangeMethod method, const Histogram& histogram) {
  Settings settings;
  settings.method = method;
  settings.percentile = 99.0;
  return ChooseRange(histogram, settings);
}

/// Mean squared error of quantising the values themselves.
double ErrorOf(const std::vector<float>& values, Range range) {
  const Settings settings;
  const AffineParams params = ParamsFor(range, settings);
  double error = 0;
  for (const float value : values) {
    const double level = std::clamp(
        std::nearbyint(static_cast<double>(value / params.scale)) + params.zero_point, 0.0, 255.0);
    const double back = (level - params.zero_point) * static_cast<double>(params.scale);
    error += (static_cast<double>(value) - back) * (static_cast<double>(value) - back);
  }
  return error / static_cast<double>(values.size());
}

TEST(RangeTest, MinMaxCoversEverythingAndZero) {
  Histogram positive;
  positive.Add(std::vector<float>{2, 3});
  const Range range = RangeBy(RangeMethod::kMinMax, positive);
  EXPECT_EQ(range.low, 0.0F);
  EXPECT_EQ(range.high, 3.0F);
}

TEST(RangeTest, PercentilesAreThoseOfTheSortedValues) {
  std::vector<float> values = Normal(100'000, 3);
  Histogram histogram;
  histogram.Add(values);
  std::ranges::sort(values);
  const Range range = RangeBy(RangeMethod::kPercentile, histogram);
  EXPECT_NEAR(range.low, values[500], 0.01);
  EXPECT_NEAR(range.high, values[99'500], 0.01);
}

TEST(RangeTest, MseIsNoWorseThanTheFullRangeAndBetterWithOutliers) {
  std::vector<float> values = Normal(400'000, 4);
  values.push_back(20.0F);
  Histogram histogram;
  histogram.Add(values);
  const Range best = RangeBy(RangeMethod::kMse, histogram);
  EXPECT_LT(best.high, 15.0F);
  EXPECT_LT(best.low, -2.5F);
  EXPECT_LT(ErrorOf(values, best), ErrorOf(values, RangeBy(RangeMethod::kMinMax, histogram)));
}

TEST(RangeTest, EntropyCutsAFarTailButNotTheBody) {
  std::vector<float> values;
  for (const float value : Normal(200'000, 5)) values.push_back(std::max(value, 0.0F));
  values.push_back(30.0F);
  Histogram histogram;
  histogram.Add(values);
  const Range range = RangeBy(RangeMethod::kEntropy, histogram);
  EXPECT_EQ(range.low, 0.0F);
  EXPECT_LT(range.high, 12.0F);
  EXPECT_GT(range.high, 2.5F);
}

TEST(ParamsTest, ZeroIsExactAndTheEndsAreReached) {
  Settings settings;
  for (const bool is_signed : {false, true}) {
    settings.signed_activations = is_signed;
    const AffineParams params = ParamsFor({-1.0F, 3.0F}, settings);
    EXPECT_NEAR(params.scale, 4.0F / 255.0F, 1e-7F);
    EXPECT_EQ(params.zero_point, is_signed ? -64 : 64);
  }
  const AffineParams nothing = ParamsFor({0, 0}, settings);
  EXPECT_GT(nothing.scale, 0.0F);
  settings.symmetric_activations = true;
  EXPECT_EQ(ParamsFor({-1.0F, 3.0F}, settings).zero_point, 0);
  EXPECT_NEAR(ParamsFor({-1.0F, 3.0F}, settings).scale, 3.0F / 127.0F, 1e-7F);
}

}  // namespace
}  // namespace kenning::quantizer
