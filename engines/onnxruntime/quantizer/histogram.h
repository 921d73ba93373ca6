// SPDX-License-Identifier: Apache-2.0
/// \file
/// A streaming histogram whose size does not depend on the number of values.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace kenning::quantizer {

/// Counts over [-limit, limit), where limit is a power of two that doubles as larger values come:
/// doubling joins neighbouring bins exactly, so that the result does not depend on the order of the
/// values, and two histograms can be merged without loss.
class Histogram {
 public:
  static constexpr std::size_t kBins = 8192;

  /// Values that are NaN or infinite are counted apart and left out.
  void Add(std::span<const float> values);
  void Merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  std::uint64_t non_finite() const { return non_finite_; }
  float minimum() const { return minimum_; }  ///< 0 while empty.
  float maximum() const { return maximum_; }
  /// Bin i covers [-limit + i * width, -limit + (i + 1) * width).
  std::span<const std::uint64_t> bins() const { return bins_; }
  double limit() const { return limit_; }
  double bin_width() const { return 2 * limit_ / static_cast<double>(kBins); }
  double BinCentre(std::size_t bin) const {
    return -limit_ + (static_cast<double>(bin) + 0.5) * bin_width();
  }

 private:
  void GrowTo(double magnitude);

  std::vector<std::uint64_t> bins_;  ///< Empty until the first value.
  double limit_ = 0;
  std::uint64_t count_ = 0;
  std::uint64_t non_finite_ = 0;
  float minimum_ = 0;
  float maximum_ = 0;
};

}  // namespace kenning::quantizer
