// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a histogram to the range that 8 bits shall cover, and from a range to scale and zero point.
#pragma once

#include <cstdint>

#include "quantizer/histogram.h"
#include "quantizer/settings.h"

namespace kenning::quantizer {

struct Range {
  float low = 0;   ///< At most 0: zero is always representable.
  float high = 0;  ///< At least 0.
};

/// kMinMax: the extremes. kPercentile: (100 - p) / 2 percent are cut at each end. kEntropy: the
/// range whose quantised distribution has the least Kullback-Leibler divergence from the values'
/// (Migacz 2017). kMse: the range with the least mean squared error.
Range ChooseRange(const Histogram& histogram, const Settings& settings);

/// real = (quantised - zero_point) * scale.
struct AffineParams {
  float scale = 1;
  std::int32_t zero_point = 0;
};
AffineParams ParamsFor(Range range, const Settings& settings);

}  // namespace kenning::quantizer
