// SPDX-License-Identifier: Apache-2.0
#include "torch_archive.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"

namespace kenning::libtorch {
namespace {

std::filesystem::path Data(const std::string& name) {
  return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/libtorch/testdata" / name;
}

TEST(ArchiveTest, TellsKindsApart) {
  EXPECT_EQ(KindOfArchive(Data("conformance.pt")).value(), ArchiveKind::kTorchScript);
  EXPECT_EQ(KindOfArchive(Data("exported.pt2")).value(), ArchiveKind::kExported);
  EXPECT_EQ(KindOfArchive(Data("weights.pth")).value(), ArchiveKind::kPickle);
}

TEST(ArchiveTest, WeightsAloneAreRefusedWithTheRemedy) {
  const auto checked = CheckTorchScript(Data("weights.pth"));
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidModel);
  EXPECT_NE(checked.error().message().find("torch.jit.save"), std::string::npos);
  EXPECT_FALSE(CheckExported(Data("conformance.pt")));
  EXPECT_FALSE(CheckTorchScript(Data("exported.pt2")));
}

TEST(ArchiveTest, EveryCutIsAnError) {
  const std::string good = ReadFile(Data("conformance.pt")).value();
  const std::filesystem::path bad = std::filesystem::path(testing::TempDir()) / "cut.pt";
  for (std::size_t size = 0; size < good.size(); size += 97) {
    ASSERT_TRUE(WriteFileAtomically(bad, good.substr(0, size)));
    EXPECT_FALSE(KindOfArchive(bad)) << size;
  }
  std::filesystem::remove(bad);
}

TEST(ArchiveTest, ADirectoryThatLiesIsAnError) {
  const std::string good = ReadFile(Data("conformance.pt")).value();
  const std::filesystem::path bad = std::filesystem::path(testing::TempDir()) / "lie.pt";
  // The end record: number of entries, size and place of the directory.
  const std::size_t end = good.rfind("PK\x05\x06");
  ASSERT_NE(end, std::string::npos);
  for (const std::size_t at : {end + 10, end + 12, end + 16, end + 19}) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x7F);
    ASSERT_TRUE(WriteFileAtomically(bad, bytes));
    EXPECT_FALSE(KindOfArchive(bad)) << at - end;
  }
  std::filesystem::remove(bad);
}

}  // namespace
}  // namespace kenning::libtorch
