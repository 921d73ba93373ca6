// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kenning/core/transport.h"

namespace kenning {

Deadline Deadline::After(double seconds) {
  // Far enough for anyone, and no overflow.
  constexpr double kLongest = 1e9;
  return Deadline(MonotonicNowNs() +
                  static_cast<std::int64_t>(std::clamp(seconds, 0.0, kLongest) * 1e9));
}

std::optional<std::int64_t> Deadline::remaining_ns() const {
  if (at_ns_ == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return std::max<std::int64_t>(0, at_ns_ - MonotonicNowNs());
}

}  // namespace kenning
