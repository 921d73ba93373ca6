// SPDX-License-Identifier: Apache-2.0
#include "base/tar.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "kenning/base/file.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

class TarTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("tar-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    ASSERT_TRUE(WriteFileAtomically(root_ / "model" / "saved_model.pb", "graph"));
    ASSERT_TRUE(WriteFileAtomically(root_ / "model" / "variables" / "v.data",
                                    std::string(100000, 'w') + "end"));
    ASSERT_TRUE(
        WriteFileAtomically(root_ / "model" / "variables" / "block", std::string(512, 'b')));
    fs::create_directories(root_ / "model" / "assets");
  }
  void TearDown() override { fs::remove_all(root_); }

  static std::string Whole(TarOfTree& tar) {
    std::string bytes(tar.size_bytes(), '?');
    EXPECT_TRUE(tar.Read(0, std::as_writable_bytes(std::span(bytes))));
    return bytes;
  }
  std::string ArchiveOfModel() {
    auto tar = TarOfTree::Create(root_ / "model");
    EXPECT_TRUE(tar);
    return Whole(*tar);
  }
  Result<> Unpack(const std::string& bytes, const TarLimits& limits = {}) {
    EXPECT_TRUE(WriteFileAtomically(root_ / "archive", bytes));
    fs::remove_all(root_ / "out");
    return UnpackTar(root_ / "archive", root_ / "out", limits);
  }
  /// A header's checksum made right after a change.
  static void Seal(std::string& archive, std::size_t at = 0) {
    std::memset(archive.data() + at + 148, ' ', 8);
    unsigned sum = 0;
    for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(archive[at + i]);
    std::snprintf(archive.data() + at + 148, 8, "%06o", sum);
  }
  static std::string Renamed(std::string archive, const std::string& name) {
    std::memset(archive.data(), 0, 100);
    std::memcpy(archive.data(), name.data(), name.size());
    Seal(archive);
    return archive;
  }
  void ExpectRefused(const std::string& bytes, ErrorCode code, const char* what) {
    const auto done = Unpack(bytes);
    ASSERT_FALSE(done) << what;
    EXPECT_EQ(done.error().code(), code) << what << ": " << done.error().ToString();
    EXPECT_FALSE(fs::exists(root_ / "out")) << what;
    for (const auto& entry : fs::directory_iterator(root_)) {
      EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << what;
    }
  }
  fs::path root_;
};

TEST_F(TarTest, ComesBackWhole) {
  ASSERT_TRUE(Unpack(ArchiveOfModel()));
  EXPECT_EQ(Sha256OfTree(root_ / "out").value(), Sha256OfTree(root_ / "model").value());
  EXPECT_TRUE(fs::is_directory(root_ / "out" / "assets"));
}

TEST_F(TarTest, SameBytesWhateverTheTimes) {
  const std::string before = ArchiveOfModel();
  ASSERT_TRUE(CopyTree(root_ / "model", root_ / "copy"));
  fs::permissions(root_ / "copy" / "saved_model.pb", fs::perms::owner_read);
  auto tar = TarOfTree::Create(root_ / "copy");
  ASSERT_TRUE(tar);
  EXPECT_EQ(Whole(*tar), before);
  EXPECT_EQ(before.size() % 512, 0U);
}

TEST_F(TarTest, AnyPartIsThePartOfTheWhole) {
  const std::string whole = ArchiveOfModel();
  auto tar = TarOfTree::Create(root_ / "model");
  ASSERT_TRUE(tar);
  for (const std::size_t piece : {1U, 511U, 513U, 4096U, 100000U}) {
    for (std::size_t at = 0; at < whole.size(); at += piece * 7 + 300) {
      std::string part(std::min<std::size_t>(piece, whole.size() - at), '?');
      ASSERT_TRUE(tar->Read(at, std::as_writable_bytes(std::span(part))));
      ASSERT_EQ(part, whole.substr(at, part.size())) << piece << " at " << at;
    }
  }
  std::string beyond(2, '?');
  EXPECT_FALSE(tar->Read(whole.size() - 1, std::as_writable_bytes(std::span(beyond))));
}

TEST_F(TarTest, EmptyFolder) {
  fs::create_directories(root_ / "empty");
  auto tar = TarOfTree::Create(root_ / "empty");
  ASSERT_TRUE(tar);
  EXPECT_EQ(tar->size_bytes(), 1024U);
  ASSERT_TRUE(Unpack(Whole(*tar)));
  EXPECT_TRUE(fs::is_directory(root_ / "out"));
}

TEST_F(TarTest, LongNamesAreCutOrRefused) {
  const std::string folder(90, 'f');
  ASSERT_TRUE(WriteFileAtomically(root_ / "long" / folder / std::string(95, 'n'), "x"));
  auto tar = TarOfTree::Create(root_ / "long");
  ASSERT_TRUE(tar);
  ASSERT_TRUE(Unpack(Whole(*tar)));
  EXPECT_EQ(Sha256OfTree(root_ / "out").value(), Sha256OfTree(root_ / "long").value());
  ASSERT_TRUE(WriteFileAtomically(root_ / "long" / std::string(101, 'n'), "x"));
  const auto refused = TarOfTree::Create(root_ / "long");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
}

TEST_F(TarTest, LinksAreNotSent) {
  fs::create_symlink("/etc/hostname", root_ / "model" / "link");
  const auto refused = TarOfTree::Create(root_ / "model");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidData);
}

TEST_F(TarTest, FileThatGotShorterIsSaid) {
  auto tar = TarOfTree::Create(root_ / "model");
  ASSERT_TRUE(tar);
  fs::resize_file(root_ / "model" / "saved_model.pb", 1);
  std::string bytes(tar->size_bytes(), '?');
  const auto read = tar->Read(0, std::as_writable_bytes(std::span(bytes)));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData);
}

TEST_F(TarTest, EscapingNamesAreRefused) {
  fs::create_directories(root_ / "one");
  ASSERT_TRUE(WriteFileAtomically(root_ / "one" / "file", "x"));
  auto tar = TarOfTree::Create(root_ / "one");
  ASSERT_TRUE(tar);
  const std::string archive = Whole(*tar);
  ASSERT_TRUE(Unpack(Renamed(archive, "a/b")));
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "d/";
  for (const std::string& name : std::vector<std::string>{
           "/etc/x", "../x", "a/../../x", "..", ".", "", "a//b", "./a", "a/.", "a/", deep + "x"}) {
    ExpectRefused(Renamed(archive, name), ErrorCode::kInvalidData, name.c_str());
  }
}

TEST_F(TarTest, DamageIsRefused) {
  fs::create_directories(root_ / "one");
  ASSERT_TRUE(WriteFileAtomically(root_ / "one" / "file", "x"));
  auto tar = TarOfTree::Create(root_ / "one");
  ASSERT_TRUE(tar);
  const std::string archive = Whole(*tar);
  for (std::size_t cut = 0; cut < archive.size(); cut += 100) {
    ExpectRefused(archive.substr(0, cut), ErrorCode::kInvalidData, "cut");
  }
  std::string changed = archive;
  changed[0] = 'F';
  ExpectRefused(changed, ErrorCode::kInvalidData, "checksum");
  for (const char type : {'1', '2', '3', '4', '6', '7', 'x', 'g', 'L'}) {
    changed = archive;
    changed[156] = type;
    Seal(changed);
    ExpectRefused(changed, ErrorCode::kInvalidData, "type");
  }
  changed = archive;
  std::memcpy(changed.data() + 124, "77777777777", 11);
  Seal(changed);
  ExpectRefused(changed, ErrorCode::kResourceExhausted, "size");
  changed = archive;
  std::memcpy(changed.data() + 124, "0000000x001", 11);
  Seal(changed);
  ExpectRefused(changed, ErrorCode::kInvalidData, "size");
  ExpectRefused(archive + "x", ErrorCode::kInvalidData, "more");
  ExpectRefused(archive + archive, ErrorCode::kInvalidData, "more");
  ExpectRefused(archive.substr(0, 1024) + archive, ErrorCode::kInvalidData, "twice");
  // A file where a folder must be, and the other way round.
  ExpectRefused(archive.substr(0, 1024) + Renamed(archive, "file/below"), ErrorCode::kInvalidData,
                "file as folder");
  ExpectRefused(Renamed(archive, "file/below").substr(0, 1024) + archive, ErrorCode::kInvalidData,
                "folder as file");
}

TEST_F(TarTest, LimitsHold) {
  const std::string archive = ArchiveOfModel();
  const auto bytes = Unpack(archive, {.max_bytes = 1000, .max_entries = 10});
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code(), ErrorCode::kResourceExhausted);
  const auto entries = Unpack(archive, {.max_bytes = 1U << 20, .max_entries = 2});
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code(), ErrorCode::kResourceExhausted);
}

TEST_F(TarTest, IsRecognised) {
  const std::string archive = ArchiveOfModel();
  EXPECT_TRUE(LooksLikeTar(std::as_bytes(std::span(archive))));
  EXPECT_FALSE(LooksLikeTar(std::as_bytes(std::span("abc", 3))));
  const std::string other(600, 'x');
  EXPECT_FALSE(LooksLikeTar(std::as_bytes(std::span(other))));
}

}  // namespace
}  // namespace kenning
