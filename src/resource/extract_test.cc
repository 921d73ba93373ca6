// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "kenning/base/file.h"
#include "resource/resource.h"

namespace kenning {
namespace {

using ::testing::HasSubstr;

struct Entry {
  std::string name;
  std::string text;
  unsigned type = AE_IFREG;
  std::string link;
  bool hard_link = false;
};

class ExtractTest : public ::testing::Test {
 protected:
  ExtractTest() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              fmt::format("kenning-extract-{}-{}", ::getpid(),
                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ExtractTest() override { std::filesystem::remove_all(folder_); }

  enum class Kind { kTarGz, kTarXz, kZip };
  std::filesystem::path Write(const std::vector<Entry>& entries, Kind kind = Kind::kTarGz) const {
    const std::filesystem::path path = folder_ / "archive";
    archive* writer = archive_write_new();
    if (kind == Kind::kZip) {
      archive_write_set_format_zip(writer);
    } else {
      archive_write_set_format_pax_restricted(writer);
      kind == Kind::kTarGz ? archive_write_add_filter_gzip(writer)
                           : archive_write_add_filter_xz(writer);
    }
    archive_write_open_filename(writer, path.c_str());
    for (const Entry& item : entries) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, item.name.c_str());
      archive_entry_set_filetype(entry, item.type);
      archive_entry_set_perm(entry, 0644);
      archive_entry_set_size(entry, static_cast<la_int64_t>(item.text.size()));
      if (item.hard_link) archive_entry_set_hardlink(entry, item.link.c_str());
      if (item.type == AE_IFLNK) archive_entry_set_symlink(entry, item.link.c_str());
      archive_write_header(writer, entry);
      archive_write_data(writer, item.text.data(), item.text.size());
      archive_entry_free(entry);
    }
    archive_write_free(writer);
    return path;
  }
  Result<> Extract(const std::filesystem::path& archive, std::uint64_t max_bytes = 1 << 20) {
    return ExtractArchive(archive, folder_ / "out", max_bytes, progress_, cancel_);
  }
  void ExpectRefused(const std::vector<Entry>& entries, const std::string& why) {
    std::vector<Entry> all = {{"good.txt", "good"}};
    all.insert(all.end(), entries.begin(), entries.end());
    const auto result = Extract(Write(all));
    ASSERT_FALSE(result) << why;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(result.error().message(), HasSubstr(why));
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
  }

  std::filesystem::path folder_;
  NullProgress progress_;
  CancelToken cancel_;
};

TEST_F(ExtractTest, TarAndZip) {
  for (const Kind kind : {Kind::kTarGz, Kind::kTarXz, Kind::kZip}) {
    std::filesystem::remove_all(folder_ / "out");
    const auto result = Extract(Write({{"a/b.txt", "text"}, {"./c.txt", "more"}}, kind));
    ASSERT_TRUE(result) << result.error().ToString();
    EXPECT_EQ(ReadFile(folder_ / "out/a/b.txt").value(), "text");
    EXPECT_EQ(ReadFile(folder_ / "out/c.txt").value(), "more");
    EXPECT_FALSE(std::filesystem::exists(folder_ / fmt::format("out/.unpacking-{}", ::getpid())));
  }
}

TEST_F(ExtractTest, KeepsWhatElseIsThere) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "out/a/mine.txt", "mine"));
  ASSERT_TRUE(Extract(Write({{"a/b.txt", "text"}})));
  EXPECT_EQ(ReadFile(folder_ / "out/a/mine.txt").value(), "mine");
  EXPECT_EQ(ReadFile(folder_ / "out/a/b.txt").value(), "text");
}

TEST_F(ExtractTest, EntriesThatClimbOut) {
  ExpectRefused({{"../evil", "x"}}, "climbs out");
  ExpectRefused({{"a/../../evil", "x"}}, "climbs out");
  ExpectRefused({{"/tmp/evil", "x"}}, "absolute");
  ExpectRefused({{"link", "", AE_IFLNK, "/etc/passwd"}}, "symbolic link");
  ExpectRefused({{"hard", "", AE_IFREG, "good.txt", true}}, "hard link");
  ExpectRefused({{"fifo", "", AE_IFIFO}}, "neither a file nor a folder");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "evil"));
}

TEST_F(ExtractTest, Bomb) {
  const auto result = Extract(Write({{"big", std::string(3 << 20, '\0')}}));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
  std::vector<Entry> many(40, {"", std::string(50'000, '\0')});
  for (std::size_t i = 0; i < many.size(); ++i) many[i].name = fmt::format("f{}", i);
  EXPECT_FALSE(Extract(Write(many)));
  EXPECT_TRUE(Extract(Write(many), 2'000'000));
}

TEST_F(ExtractTest, Damaged) {
  const std::filesystem::path path = Write({{"a.txt", std::string(100'000, 'a') + "b"}});
  const std::string bytes = ReadFile(path).value();
  ASSERT_TRUE(WriteFileAtomically(path, bytes.substr(0, bytes.size() / 2)));
  EXPECT_EQ(Extract(path).error().code(), ErrorCode::kInvalidData);
  ASSERT_TRUE(WriteFileAtomically(path, "<html>not an archive</html>"));
  const auto result = Extract(path);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr(path.string()));
  EXPECT_EQ(Extract(folder_ / "nowhere").error().code(), ErrorCode::kNotFound);
}

TEST_F(ExtractTest, Cancelled) {
  const std::filesystem::path path = Write({{"a.txt", "text"}});
  cancel_.Cancel();
  EXPECT_EQ(Extract(path).error().code(), ErrorCode::kCancelled);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
}

}  // namespace
}  // namespace kenning
