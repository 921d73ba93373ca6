// SPDX-License-Identifier: Apache-2.0
// Models that are folders.
#include <gtest/gtest.h>
#include <unistd.h>

#include "kenning/base/file.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

class FileTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(testing::TempDir()) / ("file-tree-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    ASSERT_TRUE(WriteFileAtomically(root_ / "model" / "saved_model.pb", "graph"));
    ASSERT_TRUE(WriteFileAtomically(root_ / "model" / "variables" / "v.data", "weights"));
  }
  void TearDown() override { fs::remove_all(root_); }
  fs::path root_;
};

TEST_F(FileTreeTest, HashCoversNamesAndContents) {
  const std::string before = Sha256OfTree(root_ / "model").value();
  EXPECT_EQ(before.size(), 64U);
  ASSERT_TRUE(CopyTree(root_ / "model", root_ / "copy"));
  EXPECT_EQ(Sha256OfTree(root_ / "copy").value(), before);
  ASSERT_TRUE(WriteFileAtomically(root_ / "copy" / "variables" / "v.data", "weightz"));
  EXPECT_NE(Sha256OfTree(root_ / "copy").value(), before);
  fs::rename(root_ / "model" / "variables" / "v.data", root_ / "model" / "variables" / "w.data");
  EXPECT_NE(Sha256OfTree(root_ / "model").value(), before);
}

TEST_F(FileTreeTest, FileIsAsBefore) {
  const fs::path file = root_ / "model" / "saved_model.pb";
  EXPECT_EQ(Sha256OfTree(file).value(), Sha256OfFile(file).value());
  EXPECT_EQ(TreeSizeBytes(file).value(), 5U);
}

TEST_F(FileTreeTest, SizeIsOfAllFiles) {
  EXPECT_EQ(TreeSizeBytes(root_ / "model").value(), 12U);
  const auto missing = TreeSizeBytes(root_ / "nothing");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
}

TEST_F(FileTreeTest, LinksInsideAreRefused) {
  fs::create_symlink("/etc/hostname", root_ / "model" / "link");
  const auto hash = Sha256OfTree(root_ / "model");
  ASSERT_FALSE(hash);
  EXPECT_EQ(hash.error().code(), ErrorCode::kInvalidData);
}

TEST_F(FileTreeTest, ReplacesFileByFolderAndFolderByFile) {
  ASSERT_TRUE(WriteFileAtomically(root_ / "place", "file"));
  ASSERT_TRUE(CopyTree(root_ / "model", root_ / "new"));
  ASSERT_TRUE(ReplaceTree(root_ / "new", root_ / "place"));
  EXPECT_TRUE(fs::exists(root_ / "place" / "saved_model.pb"));
  ASSERT_TRUE(WriteFileAtomically(root_ / "new", "file again"));
  ASSERT_TRUE(ReplaceTree(root_ / "new", root_ / "place"));
  EXPECT_EQ(ReadFile(root_ / "place").value(), "file again");
  EXPECT_FALSE(ReplaceTree(root_ / "nothing", root_ / "place"));
  EXPECT_TRUE(fs::exists(root_ / "place"));
  for (const auto& entry : fs::directory_iterator(root_)) {
    EXPECT_EQ(entry.path().string().find(".tmp-"), std::string::npos) << entry.path();
  }
}

TEST_F(FileTreeTest, CopyDoesNotReplace) {
  EXPECT_FALSE(CopyTree(root_ / "model", root_ / "model"));
  EXPECT_FALSE(CopyTree(root_ / "nothing", root_ / "copy"));
  EXPECT_FALSE(fs::exists(root_ / "copy"));
}

}  // namespace
}  // namespace kenning
