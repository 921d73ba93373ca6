// SPDX-License-Identifier: Apache-2.0
/// \file
/// The project's clocks. Durations are always taken from the monotonic one.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace kenning {

/// Nanoseconds of the monotonic clock (CLOCK_MONOTONIC). Only differences mean anything.
inline std::int64_t MonotonicNowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Wall-clock time, UTC, ISO 8601 with seconds ("2026-01-31T12:00:00Z"). For labels, never for
/// durations.
std::string WallTimeUtc();

}  // namespace kenning
