// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/error.h"

#include <gtest/gtest.h>

#include "kenning/base/result.h"

namespace kenning {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Fail(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  KENNING_ASSIGN_OR_RETURN(const int half, Half(value), "first half");
  KENNING_RETURN_IF_ERROR(Half(half), "second half");
  return half / 2;
}

TEST(ResultTest, MacrosPassValuesAndAddContext) {
  EXPECT_EQ(Quarter(8).value(), 2);
  const auto first = Quarter(3);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().ToString(), "first half: odd");
  const auto second = Quarter(6);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().ToString(), "second half: odd");
}

TEST(ErrorTest, ContextReadsOutermostFirst) {
  const Error error = Error(ErrorCode::kIo, "broken").AddContext("inner").AddContext("outer");
  EXPECT_EQ(error.ToString(), "outer: inner: broken");
  EXPECT_EQ(error.code(), ErrorCode::kIo);
}

TEST(ErrorTest, ExitCodesAreTheDocumentedOnes) {
  EXPECT_EQ(ExitCodeFor(ErrorCode::kInvalidModel), 1);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kInvalidScenario), 2);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kUnavailable), 3);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kTargetLost), 4);
  EXPECT_EQ(ExitCodeFor(ErrorCode::kCancelled), 130);
}

}  // namespace
}  // namespace kenning
