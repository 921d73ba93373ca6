// SPDX-License-Identifier: Apache-2.0
#include "resource/resource.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include "kenning/base/file.h"

namespace kenning {
namespace {

using ::testing::HasSubstr;

class ResourceTest : public ::testing::Test {
 protected:
  ResourceTest() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              fmt::format("kenning-resource-{}", ::getpid());
    std::filesystem::create_directories(folder_);
  }
  ~ResourceTest() override { std::filesystem::remove_all(folder_); }
  Result<std::filesystem::path> Resolve(const std::string& uri) {
    return ResolveUri(uri, progress_, cancel_);
  }
  std::filesystem::path WriteGzip(const std::string& text) const {
    const std::filesystem::path path = folder_ / "x.gz";
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    return path;
  }

  std::filesystem::path folder_;
  NullProgress progress_;
  CancelToken cancel_;
};

TEST_F(ResourceTest, PathsAndFileUris) {
  EXPECT_EQ(Resolve("a/b.onnx").value(), "a/b.onnx");
  EXPECT_EQ(Resolve("/a/b c.onnx").value(), "/a/b c.onnx");
  EXPECT_EQ(Resolve("file:///a/b%20c.onnx").value(), "/a/b c.onnx");
  EXPECT_EQ(Resolve("file://localhost/a").value(), "/a");
  EXPECT_EQ(Resolve("file://other/a").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Resolve("").error().code(), ErrorCode::kInvalidArgument);
  const auto other = Resolve("s3://bucket/a");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(other.error().message(), HasSubstr("kenning:///"));
}

TEST_F(ResourceTest, OwnResources) {
  const auto model = Resolve("kenning:///models/README.md");
  ASSERT_TRUE(model) << model.error().ToString();
  EXPECT_TRUE(std::filesystem::exists(*model));
  ASSERT_TRUE(WriteFileAtomically(folder_ / "models/m.onnx", "x"));
  ::setenv("KENNING_RESOURCES", folder_.c_str(), 1);
  EXPECT_EQ(Resolve("kenning:///models/m.onnx").value(), folder_ / "models/m.onnx");
  const auto missing = Resolve("kenning:///models/none.onnx");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr((folder_ / "models/none.onnx").string()));
  EXPECT_EQ(Resolve("kenning:///../secret").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(Resolve("kenning:///%2e%2e/secret").error().code(), ErrorCode::kInvalidArgument);
  ::unsetenv("KENNING_RESOURCES");
}

TEST_F(ResourceTest, CacheFolder) {
  ::setenv("KENNING_CACHE_DIR", "/given", 1);
  EXPECT_EQ(CacheDir(), "/given");
  ::unsetenv("KENNING_CACHE_DIR");
  ::setenv("XDG_CACHE_HOME", "/xdg", 1);
  EXPECT_EQ(CacheDir(), "/xdg/kenning");
  ::unsetenv("XDG_CACHE_HOME");
  EXPECT_EQ(CacheDir().filename(), "kenning");
}

TEST_F(ResourceTest, Gzip) {
  const std::string text(1'000'000, 'k');
  EXPECT_EQ(ReadGzipFile(WriteGzip(text), 1'000'000).value(), text);
  EXPECT_EQ(ReadGzipFile(WriteGzip(text), 999'999).error().code(), ErrorCode::kResourceExhausted);
}

TEST_F(ResourceTest, DamagedGzip) {
  std::string noise;
  for (std::uint32_t i = 0; i < 100'000; ++i) noise += static_cast<char>((i * 2654435761u) >> 24);
  const std::filesystem::path path = WriteGzip(noise);
  const std::string bytes = ReadFile(path).value();
  for (const std::size_t size : {std::size_t{4}, bytes.size() / 2, bytes.size() - 3}) {
    ASSERT_TRUE(WriteFileAtomically(path, bytes.substr(0, size)));
    const auto result = ReadGzipFile(path, 1 << 20);
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(result.error().message(), HasSubstr(path.string()));
  }
  std::string flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 0x55);
  ASSERT_TRUE(WriteFileAtomically(path, flipped));
  EXPECT_EQ(ReadGzipFile(path, 1 << 20).error().code(), ErrorCode::kInvalidData);
  ASSERT_TRUE(WriteFileAtomically(path, "<html></html>"));
  EXPECT_EQ(ReadGzipFile(path, 1 << 20).error().code(), ErrorCode::kInvalidData);
  ASSERT_TRUE(WriteFileAtomically(path, ""));
  EXPECT_EQ(ReadGzipFile(path, 1 << 20).error().code(), ErrorCode::kInvalidData);
  EXPECT_EQ(ReadGzipFile(folder_ / "none.gz", 1).error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace kenning
