// SPDX-License-Identifier: Apache-2.0
#include "app/deploy.h"

#include <gtest/gtest.h>

#include "app/artifact_store.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

class DeployTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    artifact_.path = folder_ / "model.onnx";
    artifact_.format = "onnx";
    artifact_.sha256 = Sha256Hex("model bytes");
    ASSERT_TRUE(WriteFileAtomically(artifact_.path, "model bytes"));
    wanted_ = folder_ / "target" / "deployed.onnx";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  /// Number of entries of the destination's folder.
  std::ptrdiff_t TargetEntries() const {
    return std::distance(std::filesystem::directory_iterator(wanted_.parent_path()), {});
  }

  std::filesystem::path folder_;
  std::filesystem::path wanted_;
  ModelArtifact artifact_;
  BlockContext blocks_;
};

TEST_F(DeployTest, CopiesTheModelAndItsFacts) {
  TensorSpec tensor;
  tensor.name = "x";
  artifact_.spec.inputs = {tensor};
  artifact_.spec.outputs = {tensor};
  const auto deployed = DeployArtifact(artifact_, wanted_, blocks_);
  ASSERT_TRUE(deployed) << deployed.error().ToString();
  EXPECT_EQ(deployed->path, wanted_);
  EXPECT_EQ(ReadFile(wanted_).value(), "model bytes");
  EXPECT_EQ(LoadArtifact(wanted_, "onnx")->spec, artifact_.spec);
  EXPECT_EQ(TargetEntries(), 3);  // The model, its specification and its history.
}

TEST_F(DeployTest, AModelWithoutSpecificationGetsNone) {
  ASSERT_TRUE(WriteFileAtomically(IoSpecPath(wanted_), "that of an earlier model"));
  ASSERT_TRUE(DeployArtifact(artifact_, wanted_, blocks_));
  EXPECT_FALSE(std::filesystem::exists(IoSpecPath(wanted_)));
}

TEST_F(DeployTest, ItsOwnPlaceIsLeftAlone) {
  const auto deployed = DeployArtifact(artifact_, folder_ / "." / "model.onnx", blocks_);
  ASSERT_TRUE(deployed);
  EXPECT_EQ(deployed->path, artifact_.path);
  EXPECT_FALSE(std::filesystem::exists(ProvenancePath(artifact_.path)));
}

TEST_F(DeployTest, AModelWithExternalDataIsRefused) {
  // Weights of another model lie at the destination, too.
  ASSERT_TRUE(WriteFileAtomically(folder_ / "weights.bin", "1"));
  ASSERT_TRUE(WriteFileAtomically(wanted_.parent_path() / "weights.bin", "2"));
  blocks_.inspect_model = [](const std::filesystem::path& path,
                             const std::string&) -> Result<ModelSpec> {
    if (std::filesystem::exists(path.parent_path() / "weights.bin")) return ModelSpec{};
    return Fail(ErrorCode::kNotFound, "weights.bin");
  };
  const auto deployed = DeployArtifact(artifact_, wanted_, blocks_);
  ASSERT_FALSE(deployed);
  EXPECT_EQ(deployed.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(deployed.error().message().find("leave save_model_path out"), std::string::npos);
  EXPECT_EQ(TargetEntries(), 1);  // The weights; nothing was left behind.
}

}  // namespace
}  // namespace kenning
