// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/target_run.h"

#include <gtest/gtest.h>

#include <limits>

namespace kenning {
namespace {

TEST(TargetRunTest, TimesOfTheTargetFollowItsClocksDrift) {
  EXPECT_EQ(ToHostClock({}, 5), 5);
  EXPECT_EQ(ToHostClock({{1'000, 500, 10, 20}}, 2'000), 1'500);
  const std::vector<ClockReading> clock = {{1'000'000, 500, 10, 20}, {2'000'000, 700, 10, 20}};
  EXPECT_EQ(ToHostClock(clock, 1'000'500), 1'000'000);
  EXPECT_EQ(ToHostClock(clock, 1'500'600), 1'500'000);
  EXPECT_EQ(ToHostClock(clock, 2'000'700), 2'000'000);
  EXPECT_EQ(ToHostClock(clock, 9'000'700), 9'000'000) << "no drift beyond the last reading";
}

TEST(TargetRunTest, AClockThatSaysAnythingDoesNoHarm) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<ClockReading> clock = {{-kMost, -kMost, 0, 0}, {kMost, kMost, 0, 0}};
  for (const std::int64_t time : {-kMost, std::int64_t{0}, kMost}) ToHostClock(clock, time);
  EXPECT_EQ(ToHostClock({{0, 0, 0, 0}, {10, 5'000'000'000, 0, 0}}, 7), 7) << "a jump is no drift";
}

}  // namespace
}  // namespace kenning
