// SPDX-License-Identifier: Apache-2.0
#include "quantizer/activation_range.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace kenning::quantizer {
namespace {

constexpr int kCandidates = 100;
/// Ranges smaller than this part of the full one are not tried: they would clip too much.
constexpr double kSmallestPart = 0.2;

Range WithZero(double low, double high) {
  return {static_cast<float>(std::min(low, 0.0)), static_cast<float>(std::max(high, 0.0))};
}

Range MinMax(const Histogram& histogram) {
  return WithZero(static_cast<double>(histogram.minimum()),
                  static_cast<double>(histogram.maximum()));
}

/// The value below which `count` values lie, to the width of a bin.
double Quantile(const Histogram& histogram, double count) {
  double seen = 0;
  const auto bins = histogram.bins();
  for (std::size_t i = 0; i < bins.size(); ++i) {
    const auto here = static_cast<double>(bins[i]);
    if (here > 0 && seen + here >= count) {
      const double part = std::clamp((count - seen) / here, 0.0, 1.0);
      return -histogram.limit() + (static_cast<double>(i) + part) * histogram.bin_width();
    }
    seen += here;
  }
  return static_cast<double>(histogram.maximum());
}

Range Percentile(const Histogram& histogram, double percentile) {
  const double cut = (100.0 - percentile) / 200.0 * static_cast<double>(histogram.count());
  const Range whole = MinMax(histogram);
  const Range inner = WithZero(Quantile(histogram, cut),
                               Quantile(histogram, static_cast<double>(histogram.count()) - cut));
  return {std::max(inner.low, whole.low), std::min(inner.high, whole.high)};
}

/// Sum of squared errors of quantising the histogram's values to `levels` steps over the range.
double SquaredError(const Histogram& histogram, Range range, int levels) {
  const double low = static_cast<double>(range.low);
  const double step = (static_cast<double>(range.high) - low) / (levels - 1);
  if (step <= 0) return std::numeric_limits<double>::infinity();
  // Zero lies on a level, as it will in the quantised tensor.
  const double zero = std::round(-low / step);
  // Within one bin values spread evenly; that part of the error is the same for all candidates but
  // matters where a bin is as wide as a step.
  double error = 0;
  const auto bins = histogram.bins();
  for (std::size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] == 0) continue;
    const double value = histogram.BinCentre(i);
    const double level = std::clamp(std::round(value / step) + zero, 0.0, levels - 1.0);
    const double difference = value - (level - zero) * step;
    error += static_cast<double>(bins[i]) * difference * difference;
  }
  return error;
}

/// Divergence of the histogram from its own quantisation to `levels` steps over the range; values
/// outside are moved to its ends. Empty bins stay empty in both. The bin at zero is left out: a
/// Relu fills it with exact zeros, which every quantiser represents, and its weight would drown the
/// rest.
double Divergence(const Histogram& histogram, Range range, int levels) {
  const double width = histogram.bin_width();
  const auto last_bin = static_cast<std::int64_t>(Histogram::kBins) - 1;
  const auto bin_of = [&](double value) {
    return static_cast<std::size_t>(std::clamp<std::int64_t>(
        static_cast<std::int64_t>(std::floor((value + histogram.limit()) / width)), 0, last_bin));
  };
  const std::size_t first = bin_of(static_cast<double>(range.low));
  const std::size_t last = bin_of(static_cast<double>(range.high));
  const std::size_t size = last - first + 1;
  constexpr std::size_t kZeroBin = Histogram::kBins / 2;
  const auto count_of = [&histogram](std::size_t bin) {
    return bin == kZeroBin ? 0.0 : static_cast<double>(histogram.bins()[bin]);
  };
  std::vector<double> p(size);
  for (std::size_t i = 0; i < size; ++i) p[i] = count_of(first + i);
  for (std::size_t i = 0; i < first; ++i) p[0] += count_of(i);
  for (std::size_t i = last + 1; i < Histogram::kBins; ++i) p[size - 1] += count_of(i);
  double divergence = 0;
  const double total = static_cast<double>(histogram.count() - histogram.bins()[kZeroBin]);
  const auto groups = std::min<std::size_t>(static_cast<std::size_t>(levels), size);
  for (std::size_t g = 0; g < groups; ++g) {
    const std::size_t begin = g * size / groups;
    const std::size_t end = (g + 1) * size / groups;
    double inside = 0;  // What the quantiser sees: clipped values are not spread over the step.
    std::size_t filled = 0;
    for (std::size_t i = begin; i < end; ++i) {
      inside += count_of(first + i);
      filled += p[i] > 0 ? 1 : 0;
    }
    if (filled == 0) continue;
    const double q = std::max(inside / static_cast<double>(filled), 1e-4);
    for (std::size_t i = begin; i < end; ++i) {
      if (p[i] > 0) divergence += p[i] / total * std::log(p[i] / q);
    }
  }
  return divergence;
}

/// Tries smaller ranges, one end after the other (both together where they must stay symmetric).
template <typename Loss>
Range Search(const Histogram& histogram, bool symmetric, Loss loss) {
  Range whole = MinMax(histogram);
  if (symmetric) {
    const float most = std::max(-whole.low, whole.high);
    whole = {-most, most};
  }
  Range best = whole;
  double least = loss(whole);
  const auto try_ends = [&](bool low_end, bool high_end) {
    const Range start = best;
    for (int i = kCandidates - 1; i >= 1; --i) {
      const auto part = static_cast<float>(kSmallestPart + (1 - kSmallestPart) * i / kCandidates);
      const Range candidate = {low_end ? whole.low * part : start.low,
                               high_end ? whole.high * part : start.high};
      const double here = loss(candidate);
      if (here < least) {
        least = here;
        best = candidate;
      }
    }
  };
  if (symmetric) {
    try_ends(true, true);
    return best;
  }
  try_ends(false, true);
  if (whole.low < 0) {
    try_ends(true, false);
    try_ends(false, true);
  }
  return best;
}

}  // namespace

Range ChooseRange(const Histogram& histogram, const Settings& settings) {
  if (histogram.count() == 0) return {};
  const int levels = settings.symmetric_activations ? 255 : 256;
  switch (settings.method) {
    case RangeMethod::kAuto:  // Resolved before; the extremes are always a valid range.
    case RangeMethod::kMinMax:
      return MinMax(histogram);
    case RangeMethod::kPercentile:
      return Percentile(histogram, settings.percentile);
    case RangeMethod::kEntropy:
      return Search(histogram, settings.symmetric_activations,
                    [&](Range range) { return Divergence(histogram, range, levels); });
    case RangeMethod::kMse:
      return Search(histogram, settings.symmetric_activations,
                    [&](Range range) { return SquaredError(histogram, range, levels); });
  }
  return MinMax(histogram);
}

AffineParams ParamsFor(Range range, const Settings& settings) {
  const int lowest = settings.lowest();
  const int highest = settings.highest();
  if (settings.symmetric_activations) {
    const float most = std::max(-range.low, range.high);
    const float scale = most / 127.0F;
    return {scale >= std::numeric_limits<float>::min() ? scale : 1.0F,
            settings.signed_activations ? 0 : 128};
  }
  const float scale = (range.high - range.low) / static_cast<float>(highest - lowest);
  // A tensor that is always zero (or nearly) needs some scale above 0.
  if (!(scale >= std::numeric_limits<float>::min())) return {1.0F, lowest};
  const double zero = lowest - static_cast<double>(range.low) / static_cast<double>(scale);
  return {scale, std::clamp(static_cast<std::int32_t>(std::lrint(zero)), lowest, highest)};
}

}  // namespace kenning::quantizer
