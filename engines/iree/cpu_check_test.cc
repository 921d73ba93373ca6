// SPDX-License-Identifier: Apache-2.0
#include "cpu_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vmfb_file.h"

namespace kenning::iree {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

CodeTarget Find(std::string_view text) {
  return FindCodeTarget({reinterpret_cast<const std::byte*>(text.data()), text.size()});
}

TEST(CpuCheckTest, ReadsCpuAndFeatures) {
  const CodeTarget target =
      Find("x {cpu = \"znver4\", cpu_features = \"+avx2,-avx512f,+fma,+fma,-fma,\", more}");
  EXPECT_EQ(target.cpu, "znver4");
  EXPECT_THAT(target.features, ElementsAre("avx2"));
}

TEST(CpuCheckTest, StandsDamagedText) {
  EXPECT_TRUE(Find("").features.empty());
  EXPECT_TRUE(Find("cpu = \"").cpu.empty());
  EXPECT_TRUE(Find("cpu = \"x\", cpu_features = \"+avx").features.empty());
  EXPECT_TRUE(Find("cpu = \"x\", cpu_features = \",,+,\"").features.empty());
}

TEST(CpuCheckTest, ReadsTheTargetOfAModule) {
  const auto folder = std::filesystem::path(KENNING_SOURCE_DIR) / "engines/iree/testdata";
  const AlignedBytes native = ReadVmfb(folder / "conformance.vmfb").value();
  const CodeTarget target = FindCodeTarget(FlatBufferOf(native.span()));
  EXPECT_EQ(target.cpu, "x86-64-v2");
  EXPECT_THAT(target.features, Contains("sse4.2"));
  EXPECT_THAT(target.features, Not(Contains("avx2")));
  const AlignedBytes portable = ReadVmfb(folder / "portable.vmfb").value();
  EXPECT_TRUE(FindCodeTarget(FlatBufferOf(portable.span())).features.empty());
}

TEST(CpuCheckTest, NamesWhatTheCpuLacks) {
  const std::set<std::string> flags =
      CpuFlags("processor: 0\nflags\t\t: fpu sse4_2 avx2\nflags: x");
  EXPECT_THAT(flags, ElementsAre("avx2", "fpu", "sse4_2"));
  EXPECT_TRUE(CheckCpu({"x86-64-v2", {"sse4.2", "sahf"}}, flags));
  const auto refused = CheckCpu({"znver4", {"avx2", "avx512vnni"}}, flags);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message(), HasSubstr("lacks avx512vnni"));
}

}  // namespace
}  // namespace kenning::iree
