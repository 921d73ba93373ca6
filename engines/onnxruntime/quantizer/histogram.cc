// SPDX-License-Identifier: Apache-2.0
#include "quantizer/histogram.h"

#include <algorithm>
#include <cmath>

namespace kenning::quantizer {
namespace {

/// Below this, values are indistinguishable from zero in any 8-bit tensor of a network.
constexpr double kSmallestLimit = 0x1p-20;

}  // namespace

void Histogram::GrowTo(double magnitude) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    limit_ = kSmallestLimit;
  }
  while (magnitude >= limit_) {
    // Halve towards the middle: two old bins make one new one.
    std::vector<std::uint64_t> wider(kBins, 0);
    for (std::size_t i = 0; i < kBins; ++i) wider[kBins / 4 + i / 2] += bins_[i];
    bins_ = std::move(wider);
    limit_ *= 2;
  }
}

void Histogram::Add(std::span<const float> values) {
  float low = 0;
  float high = 0;
  bool any = false;
  std::uint64_t finite = 0;
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    low = any ? std::min(low, value) : value;
    high = any ? std::max(high, value) : value;
    any = true;
    ++finite;
  }
  non_finite_ += values.size() - finite;
  if (!any) return;
  minimum_ = count_ == 0 ? low : std::min(minimum_, low);
  maximum_ = count_ == 0 ? high : std::max(maximum_, high);
  count_ += finite;
  GrowTo(std::max(std::abs(static_cast<double>(low)), std::abs(static_cast<double>(high))));
  const auto scale = static_cast<float>(1.0 / bin_width());
  const auto middle = static_cast<float>(kBins / 2);
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    // The width is a power of two: the product is exact, and the floor is the right bin.
    const auto bin = static_cast<std::int32_t>(std::floor(value * scale) + middle);
    ++bins_[static_cast<std::size_t>(std::clamp<std::int32_t>(bin, 0, kBins - 1))];
  }
}

void Histogram::Merge(const Histogram& other) {
  non_finite_ += other.non_finite_;
  if (other.count_ == 0) return;
  Histogram wider = other;
  // Both to the larger limit.
  GrowTo(std::nextafter(other.limit_, 0.0));
  wider.GrowTo(std::nextafter(limit_, 0.0));
  for (std::size_t i = 0; i < kBins; ++i) bins_[i] += wider.bins_[i];
  minimum_ = count_ == 0 ? other.minimum_ : std::min(minimum_, other.minimum_);
  maximum_ = count_ == 0 ? other.maximum_ : std::max(maximum_, other.maximum_);
  count_ += other.count_;
}

}  // namespace kenning::quantizer
