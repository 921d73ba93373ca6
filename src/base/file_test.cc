// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace kenning {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "kenning-file-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::size_t FileCount() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }
  std::filesystem::path folder_;
};

TEST_F(FileTest, AtomicWriteRoundTripsAndLeavesNoTemporary) {
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(WriteFileAtomically(folder_ / "deep" / "file", bytes));
  EXPECT_EQ(ReadFile(folder_ / "deep" / "file").value(), bytes);
  EXPECT_EQ(FileCount(), 1U);
}

TEST_F(FileTest, AbandonedWriteKeepsTheOldFile) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "file", "old"));
  {
    auto file = AtomicFile::Create(folder_ / "file");
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->Write("new"));
  }
  EXPECT_EQ(ReadFile(folder_ / "file").value(), "old");
  EXPECT_EQ(FileCount(), 1U);
}

TEST_F(FileTest, FullDiskIsResourceExhausted) {
  // /dev/full accepts opens and refuses every flush with ENOSPC.
  std::error_code error;
  std::filesystem::create_symlink("/dev/full", folder_ / ("full.tmp-" + std::to_string(getpid())),
                                  error);
  ASSERT_FALSE(error);
  const auto written = WriteFileAtomically(folder_ / "full", "bytes");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "full"));
  EXPECT_EQ(FileCount(), 0U);
}

TEST_F(FileTest, ErrorsNameTheFile) {
  const auto missing = ReadFile(folder_ / "missing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_NE(missing.error().message().find("missing"), std::string::npos);
  EXPECT_FALSE(ReadFile(folder_));
  ASSERT_TRUE(WriteFileAtomically(folder_ / "big", "12345"));
  EXPECT_EQ(ReadFile(folder_ / "big", 4).error().code(), ErrorCode::kResourceExhausted);
  EXPECT_FALSE(WriteFileAtomically(folder_, "x"));
}

TEST_F(FileTest, Sha256MatchesThePublishedVector) {
  // FIPS 180-2, appendix B.1.
  const std::string expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(Sha256Hex("abc"), expected);
  ASSERT_TRUE(WriteFileAtomically(folder_ / "abc", "abc"));
  EXPECT_EQ(Sha256OfFile(folder_ / "abc").value(), expected);
}

}  // namespace
}  // namespace kenning
