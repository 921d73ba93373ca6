// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/clock.h"

#include <array>
#include <ctime>

namespace kenning {

std::string WallTimeUtc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), length};
}

}  // namespace kenning
