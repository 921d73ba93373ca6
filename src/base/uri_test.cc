// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/uri.h"

#include <gtest/gtest.h>

namespace kenning {
namespace {

TEST(UriTest, Schemes) {
  EXPECT_EQ(UriScheme("HTTPS://a/b"), "https");
  EXPECT_EQ(UriScheme("kenning:///a"), "kenning");
  EXPECT_EQ(UriScheme("a/b.onnx"), "");
  EXPECT_EQ(UriScheme("://a"), "");
  EXPECT_EQ(UriScheme("a b://c"), "");
  EXPECT_EQ(PercentDecoded("a%20b%2"), "a b%2");
}

TEST(UriTest, OutputsArePathsOrFileUris) {
  EXPECT_EQ(OutputPathFromUri("build/int8.onnx").value(), "build/int8.onnx");
  EXPECT_EQ(OutputPathFromUri("/a/b c.onnx").value(), "/a/b c.onnx");
  EXPECT_EQ(OutputPathFromUri("file:///a/b%20c.onnx").value(), "/a/b c.onnx");
  EXPECT_EQ(OutputPathFromUri("FILE://localhost/a").value(), "/a");
}

TEST(UriTest, OtherOutputsAreMistakesOfTheScenario) {
  for (const char* uri : {"", "http://a/b.onnx", "https://a/b.onnx", "kenning:///models/a.onnx",
                          "s3://bucket/a", "file://relative/a", "file://", "file:///a%00b"}) {
    const auto path = OutputPathFromUri(uri);
    ASSERT_FALSE(path) << uri;
    EXPECT_EQ(path.error().code(), ErrorCode::kInvalidScenario) << uri;
    EXPECT_NE(path.error().message().find(uri), std::string::npos);
  }
}

}  // namespace
}  // namespace kenning
