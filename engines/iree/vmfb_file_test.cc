// SPDX-License-Identifier: Apache-2.0
#include "vmfb_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kenning/base/file.h"

namespace kenning::iree {
namespace {

std::string Model(const std::string& name) {
  return ReadFile(std::filesystem::path(KENNING_SOURCE_DIR) / "engines/iree/testdata" / name)
      .value();
}

Result<> Check(const std::string& bytes) {
  return CheckVmfb({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

TEST(VmfbFileTest, TakesWholeModules) {
  for (const char* name : {"conformance.vmfb", "portable.vmfb", "declared.vmfb"}) {
    const auto checked = Check(Model(name));
    EXPECT_TRUE(checked) << name << ": " << checked.error().ToString();
  }
}

TEST(VmfbFileTest, TakesThePlainFlatBuffer) {
  const std::string whole = Model("declared.vmfb");
  const auto part = FlatBufferOf({reinterpret_cast<const std::byte*>(whole.data()), whole.size()});
  const std::string plain(reinterpret_cast<const char*>(part.data()), part.size());
  EXPECT_TRUE(Check(plain));
  EXPECT_FALSE(Check(plain.substr(0, plain.size() - 1)));
}

TEST(VmfbFileTest, RefusesEveryShorterFile) {
  const std::string whole = Model("conformance.vmfb");
  for (std::size_t size = 0; size < whole.size(); size += 7) {
    const auto checked = Check(whole.substr(0, size));
    ASSERT_FALSE(checked) << size;
    EXPECT_EQ(checked.error().code(), ErrorCode::kInvalidModel);
  }
}

TEST(VmfbFileTest, RefusesChangedContents) {
  const std::string whole = Model("conformance.vmfb");
  int refused = 0;
  int tried = 0;
  for (std::size_t at = 64; at < whole.size(); at += 101) {
    std::string changed = whole;
    changed[at] = static_cast<char>(~changed[at]);
    ++tried;
    if (!Check(changed)) ++refused;
  }
  // What may change unseen is padding, times and other fields of the archive that nothing reads.
  EXPECT_GT(refused, tried * 3 / 4) << tried;
}

TEST(VmfbFileTest, RefusesPlacesOutsideTheFile) {
  std::string bytes = Model("conformance.vmfb");
  // The 64-bit place of the table, in the record before the last two.
  const std::size_t end64 = bytes.rfind("PK\x06\x06");
  ASSERT_NE(end64, std::string::npos);
  const std::uint64_t far_away = ~std::uint64_t{0} - 20;
  std::memcpy(bytes.data() + end64 + 48, &far_away, sizeof(far_away));
  EXPECT_FALSE(Check(bytes));
}

TEST(VmfbFileTest, NamesAFileThatIsNotThere) {
  EXPECT_EQ(ReadVmfb("no/such.vmfb").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(ReadVmfb("/").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace kenning::iree
