// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/json_depth.h"

#include <gtest/gtest.h>

#include <string>

namespace kenning {
namespace {

TEST(JsonDepthTest, CountsWhatLiesWithinEachOther) {
  EXPECT_TRUE(NestsAtMost("", 0));
  EXPECT_TRUE(NestsAtMost(R"({"a": [1, [2]], "b": [[]]})", 3));
  EXPECT_FALSE(NestsAtMost(R"({"a": [1, [2]], "b": [[]]})", 2));
  EXPECT_TRUE(NestsAtMost(R"(["[[[[", "\"[[[[", "\\"])", 1));
  EXPECT_FALSE(NestsAtMost(R"(["\\", [[]]])", 2));
  EXPECT_TRUE(NestsAtMost("]]]][[", 2));
  EXPECT_FALSE(NestsAtMost(std::string(1'000'000, '[')));
  EXPECT_TRUE(NestsAtMost("\"\\", 0));
}

}  // namespace
}  // namespace kenning
