// SPDX-License-Identifier: Apache-2.0
#include "tvm_artifact.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"
#include "tvm_elf.h"

namespace kenning::tvm_engine {
namespace {

const std::filesystem::path kModel =
    std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tvm/testdata/conformance.tar";

TEST(TvmArtifactTest, ReadsWhatTheCompilerMade) {
  const auto artifact = ReadTvmArtifact(kModel);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  EXPECT_EQ(artifact->spec.inputs.size(), 1U);
  EXPECT_EQ(artifact->spec.inputs[0].name, "input");
  EXPECT_EQ(artifact->target, "llvm -mcpu=x86-64-v2");
  EXPECT_TRUE(CheckCpuFeatures(*artifact));
}

TEST(TvmArtifactTest, TheSharedObjectAloneIsReadToo) {
  const std::string tar = ReadFile(kModel).value();
  const std::size_t at = tar.find(
      "\x7f"
      "ELF");
  ASSERT_NE(at, std::string::npos);
  const std::size_t end = tar.rfind("KENNTVM1");
  const auto artifact = ParseTvmArtifact(tar.substr(at, end + 8 - at), "m.so");
  ASSERT_TRUE(artifact) << artifact.error().ToString();
}

TEST(TvmArtifactTest, EveryChangedByteIsNoticed) {
  const std::string good = ReadFile(kModel).value();
  const std::size_t end = good.rfind("KENNTVM1");
  for (std::size_t at = 0; at < end; at += 997) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    const auto artifact = ParseTvmArtifact(bad, "m.tar");
    // A changed byte of the archive's padding harms nobody.
    if (artifact) {
      EXPECT_LT(at, 512U) << at;
    }
  }
}

TEST(TvmArtifactTest, EveryLengthIsRefused) {
  const std::string good = ReadFile(kModel).value();
  const std::size_t end = good.rfind("KENNTVM1");
  for (std::size_t length = 0; length < end; length += 499) {
    EXPECT_FALSE(ParseTvmArtifact(good.substr(0, length), "m.tar")) << length;
  }
}

TEST(TvmArtifactTest, ForeignFilesAreNamed) {
  EXPECT_EQ(ParseTvmArtifact("\x1f\x8b rest", "m.tar").error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(ParseTvmArtifact("", "m.tar").error().code(), ErrorCode::kInvalidModel);
  // A shared object of the system: whole, but without a description.
  const auto own = ReadFile("/proc/self/exe");
  ASSERT_TRUE(own);
  const auto artifact = ParseTvmArtifact(*own, "m.so");
  ASSERT_FALSE(artifact);
  EXPECT_EQ(artifact.error().code(), ErrorCode::kUnsupported) << artifact.error().ToString();
}

TEST(TvmArtifactTest, LackingInstructionSetsAreNamed) {
  TvmArtifact artifact;
  artifact.target = "llvm -mcpu=future";
  artifact.cpu_features = {"sse4.2", "unheard-of"};
  EXPECT_TRUE(CheckCpuFeatures(artifact));  // What is not known here is left to the system.
}

TEST(TvmElfTest, BrokenHeadersAreRefused) {
  const std::string own = ReadFile("/proc/self/exe").value();
  ASSERT_TRUE(CheckSharedObject(own)) << CheckSharedObject(own).error().ToString();
  EXPECT_FALSE(CheckSharedObject(own.substr(0, own.size() / 2)));
  EXPECT_FALSE(CheckSharedObject(own.substr(0, 40)));
  std::string other = own;
  other[18] = 0x28;  // EM_ARM
  EXPECT_EQ(CheckSharedObject(other).error().code(), ErrorCode::kUnsupported);
  std::string wild = own;
  wild[39] = 0x7f;  // The table of segments, beyond the end.
  EXPECT_EQ(CheckSharedObject(wild).error().code(), ErrorCode::kInvalidModel);
}

}  // namespace
}  // namespace kenning::tvm_engine
