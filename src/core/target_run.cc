// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/target_run.h"

#include <algorithm>
#include <cmath>

namespace kenning {
namespace {

/// Wraps around: the other machine's clock may say anything.
std::int64_t Minus(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

}  // namespace

std::int64_t ToHostClock(const std::vector<ClockReading>& clock, std::int64_t target_ns) {
  if (clock.empty()) return target_ns;
  const ClockReading& first = clock.front();
  const ClockReading& last = clock.back();
  const std::int64_t host_ns = Minus(target_ns, first.offset_ns);
  const double span = static_cast<double>(last.host_ns) - static_cast<double>(first.host_ns);
  const auto drift = static_cast<double>(Minus(last.offset_ns, first.offset_ns));
  // More than a second of drift is no drift: a clock was set, or somebody makes it up.
  constexpr double kLargestDrift = 1e9;
  if (span <= 0 || std::abs(drift) > kLargestDrift) return host_ns;
  const double since = static_cast<double>(host_ns) - static_cast<double>(first.host_ns);
  return Minus(host_ns, std::llround(drift * std::clamp(since / span, 0.0, 1.0)));
}

}  // namespace kenning
