// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kenning {
namespace {

TEST(StringsTest, EditDistanceCountsSwapsOnce) {
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3U);
  EXPECT_EQ(EditDistance("traget", "target"), 1U);
  EXPECT_EQ(EditDistance("", "abc"), 3U);
}

TEST(StringsTest, NearestNamesAreRankedAndBounded) {
  const std::vector<std::string> names = {"TFLiteCompiler", "TVMCompiler", "ONNXCompiler", "Pet"};
  EXPECT_THAT(NearestNames("OnnxCompilr", names), testing::Contains("ONNXCompiler"));
  EXPECT_EQ(NearestNames("OnnxCompilr", names).front(), "ONNXCompiler");
  EXPECT_THAT(NearestNames("zzzzzz", names), testing::IsEmpty());
}

TEST(StringsTest, HumanBytesRounds) {
  EXPECT_EQ(HumanBytes(999), "999 B");
  EXPECT_EQ(HumanBytes(1500), "1.5 kB");
  EXPECT_EQ(HumanBytes(999999), "1.0 MB");
}

}  // namespace
}  // namespace kenning
