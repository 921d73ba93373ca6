// SPDX-License-Identifier: Apache-2.0
#include "app/artifact_store.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"

namespace kenning {
namespace {

class ArtifactStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(testing::TempDir()) /
            testing::UnitTest::GetInstance()->current_test_info()->name() / "model.onnx";
    ASSERT_TRUE(WriteFileAtomically(path_, "model bytes"));
    artifact_.path = path_;
    artifact_.format = "onnx";
    artifact_.sha256 = Sha256Hex("model bytes");
    TensorSpec input;
    input.name = "x";
    input.shape = {kAnyDim, 4};
    artifact_.spec.inputs = {input};
    artifact_.spec.outputs = {input};
    artifact_.provenance = {{"ONNXQuantizer", "kenning", "1", {{"a", "b"}}, {"note"}, 1.5, "now"}};
  }
  void TearDown() override { std::filesystem::remove_all(path_.parent_path()); }
  std::filesystem::path path_;
  ModelArtifact artifact_;
};

TEST_F(ArtifactStoreTest, RoundTrips) {
  ASSERT_TRUE(SaveArtifactFacts(artifact_));
  const auto loaded = LoadArtifact(path_, "onnx");
  ASSERT_TRUE(loaded) << loaded.error().ToString();
  EXPECT_EQ(loaded->sha256, artifact_.sha256);
  EXPECT_EQ(loaded->size_bytes, 11U);
  EXPECT_EQ(loaded->spec, artifact_.spec);
  ASSERT_EQ(loaded->provenance.size(), 1U);
  EXPECT_EQ(loaded->provenance[0].block, "ONNXQuantizer");
  EXPECT_EQ(loaded->provenance[0].parameters.at("a"), "b");
  EXPECT_EQ(loaded->provenance[0].duration_s, 1.5);
}

TEST_F(ArtifactStoreTest, HistoryOfAnotherModelIsNotBelieved) {
  ASSERT_TRUE(SaveArtifactFacts(artifact_));
  ASSERT_TRUE(WriteFileAtomically(path_, "other bytes"));
  const auto loaded = LoadArtifact(path_, "onnx");
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->provenance.empty());
}

TEST_F(ArtifactStoreTest, BrokenFactsAreErrorsThatNameTheFile) {
  for (const std::string_view text : {"{", "[]", R"({"format_version": 99})"}) {
    ASSERT_TRUE(WriteFileAtomically(ProvenancePath(path_), text));
    const auto loaded = LoadArtifact(path_, "onnx");
    ASSERT_FALSE(loaded) << text;
    EXPECT_EQ(loaded.error().code(), ErrorCode::kInvalidData);
    EXPECT_NE(loaded.error().message().find("provenance.json"), std::string::npos);
  }
}

TEST_F(ArtifactStoreTest, AModelWithoutFactsLoads) {
  const auto loaded = LoadArtifact(path_, "onnx");
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->provenance.empty());
  EXPECT_EQ(loaded->spec, ModelSpec{});
  EXPECT_EQ(LoadArtifact(path_.parent_path() / "none.onnx", "onnx").error().code(),
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace kenning
