// SPDX-License-Identifier: Apache-2.0
#include "et_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "et_session.h"
#include "kenning/base/file.h"
#include "pte_file.h"
#include "trial.h"

namespace kenning::executorch_engine {
namespace {

std::filesystem::path Data(const std::string& name) {
  return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/executorch/testdata" / name;
}

Result<> Check(const std::string& bytes) {
  return CheckPte({reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()});
}

TEST(ExecuTorchTest, TellsWhatAProgramTakes) {
  for (const char* name : {"conformance.pte", "operators.pte"}) {
    const auto spec = EtSession::Inspect(Data(name));
    ASSERT_TRUE(spec) << spec.error().ToString();
    EXPECT_EQ(ToString(spec->inputs.at(0)), "float32[1, 3, 8, 8]");
    EXPECT_EQ(ToString(spec->outputs.at(0)), "float32[1, 5]");
    EXPECT_FALSE(spec->inputs[0].name.empty());
  }
}

TEST(ExecuTorchTest, ThreadsAreSharedByTheProcess) {
  EtRuntime two(2, "");
  EtRuntime three(3, "");
  EtRuntime one(1, "");
  auto open = two.Load(Data("conformance.pte"), "executorch");
  ASSERT_TRUE(open) << open.error().ToString();
  const auto refused = three.Load(Data("conformance.pte"), "executorch");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(one.Load(Data("conformance.pte"), "executorch"));
  open->reset();
  EXPECT_TRUE(three.Load(Data("conformance.pte"), "executorch"));
}

TEST(ExecuTorchTest, RefusesShortFilesAndOtherMarks) {
  const std::string whole = ReadFile(Data("conformance.pte")).value();
  EXPECT_TRUE(Check(whole));
  EXPECT_FALSE(Check(""));
  EXPECT_FALSE(Check(whole.substr(0, 39)));
  EXPECT_FALSE(Check(whole.substr(0, whole.size() / 2)));
  for (const std::size_t at : {4U, 8U, 20U, 28U}) {
    std::string changed = whole;
    changed[at] = '\xff';
    EXPECT_FALSE(Check(changed)) << at;
  }
  EXPECT_EQ(ReadPte("no/such.pte").error().code(), ErrorCode::kNotFound);
}

TEST(ExecuTorchTest, SurvivesProgramsThatCrashExecuTorch) {
  const std::string whole = ReadFile(Data("operators.pte")).value();
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "flipped.pte";
  EtRuntime runtime(1, "");
  for (std::size_t at = 0; at < whole.size(); at += 25) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ (1 << (at % 8)));
    ASSERT_TRUE(WriteFileAtomically(path, changed));
    const auto session = runtime.Load(path, "executorch");
    EXPECT_TRUE(session || !session.error().message().empty());
  }
}

TEST(ExecuTorchTest, ATrialTellsACrash) {
  EXPECT_TRUE(TryInChild("good.pte", [] {}));
  const auto crashed = TryInChild("bad.pte", [] { std::abort(); });
  ASSERT_FALSE(crashed);
  EXPECT_EQ(crashed.error().code(), ErrorCode::kInvalidModel);
  EXPECT_THAT(crashed.error().message(), testing::HasSubstr("bad.pte"));
}

TEST(ExecuTorchTest, RefusesOtherFormats) {
  EXPECT_EQ(EtRuntime(1, "").Load(Data("conformance.pte"), "onnx").error().code(),
            ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace kenning::executorch_engine
