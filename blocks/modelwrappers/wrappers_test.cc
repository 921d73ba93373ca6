// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "classifier.h"
#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"
#include "magic_wand_wrapper.h"
#include "pet_wrapper.h"

namespace kenning {
namespace {

using testing::HasSubstr;

class WrapperTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::path(testing::TempDir()) / "wrapper_test_model.onnx";
    ASSERT_TRUE(WriteFileAtomically(path_, "the inspector below does not read this"));
    spec_.inputs = {{.name = "in", .shape = {kAnyDim, 128, 3}}};
    spec_.outputs = {{.name = "out", .shape = {kAnyDim, 4}}};
    context_.resolve_uri = [](const std::string& uri) {
      return Result<std::filesystem::path>(uri);
    };
    context_.format_of = [](const std::string& uri) {
      return uri.ends_with(".onnx") ? "onnx" : uri.ends_with(".h5") ? "keras" : "";
    };
    context_.inspect_model = [this](const std::filesystem::path&, const std::string&) {
      return Result<ModelSpec>(spec_);
    };
  }
  void TearDown() override {
    std::filesystem::remove(path_);
    std::filesystem::remove(path_.string() + ".json");
  }

  static Params Checked(const ParamSchema& schema,
                        std::map<std::string, ParamValue, std::less<>> given) {
    auto defaults = DefaultParams(schema).values();
    given.merge(defaults);
    return Params(std::move(given));
  }

  std::filesystem::path path_;
  ModelSpec spec_;
  BlockContext context_;
};

TEST_F(WrapperTest, WithoutADatasetTheModelIsStillDescribed) {
  const Params params = Checked(ClassifierSchema("model"), {{"model_path", path_.string()}});
  const auto wrapper = ClassifierFactory({"onnx"})(params, nullptr, context_);
  ASSERT_TRUE(wrapper) << wrapper.error().ToString();
  EXPECT_EQ((*wrapper)->model().format, "onnx");
  EXPECT_EQ((*wrapper)->model().sha256.size(), 64U);
  EXPECT_EQ((*wrapper)->model().spec, spec_);
}

TEST_F(WrapperTest, TheFileBesideTheModelWins) {
  ASSERT_TRUE(WriteFileAtomically(path_.string() + ".json", R"({
    "input": [{"name": "in", "shape": [1, 8], "dtype": "float32"}],
    "output": [{"name": "out", "shape": [1, 2], "dtype": "float32"}]})"));
  const Params params = Checked(ClassifierSchema("model"), {{"model_path", path_.string()}});
  const auto wrapper = ClassifierFactory({"onnx"})(params, nullptr, context_);
  ASSERT_TRUE(wrapper) << wrapper.error().ToString();
  EXPECT_EQ((*wrapper)->model().spec.inputs[0].shape, (Shape{1, 8}));
}

TEST_F(WrapperTest, MistakesInParametersNameThem) {
  auto params = Checked(ClassifierSchema("model"),
                        {{"model_path", path_.string()}, {"output_name", std::string("scores")}});
  auto wrapper = ClassifierFactory({"onnx"})(params, nullptr, context_);
  ASSERT_FALSE(wrapper);
  EXPECT_THAT(wrapper.error().message(), HasSubstr("scores"));
  params = Checked(ClassifierSchema("model"),
                   {{"model_path", path_.string()}, {"normalization", std::string("custom")}});
  EXPECT_FALSE(ClassifierFactory({"onnx"})(params, nullptr, context_));
  params = Checked(ClassifierSchema("model"), {{"model_path", std::string("/nonexistent/m.onnx")}});
  wrapper = ClassifierFactory({"onnx"})(params, nullptr, context_);
  ASSERT_FALSE(wrapper);
  EXPECT_EQ(wrapper.error().code(), ErrorCode::kNotFound);
}

TEST_F(WrapperTest, InputsOfWholeNumbersMustBeMeant) {
  for (const auto& [dtype, scale, fits] :
       std::vector<std::tuple<DType, double, bool>>{{DType::kFloat16, 1.0, true},
                                                    {DType::kUint8, 1.0, false},
                                                    {DType::kUint8, 255.0, true},
                                                    {DType::kInt64, 255.0, false}}) {
    spec_.inputs[0].dtype = dtype;
    const Params params =
        Checked(ClassifierSchema("model"), {{"model_path", path_.string()}, {"scale", scale}});
    const auto wrapper = ClassifierFactory({"onnx"})(params, nullptr, context_);
    EXPECT_EQ(wrapper.has_value(), fits) << DTypeName(dtype) << " " << scale;
    if (!wrapper) {
      EXPECT_EQ(wrapper.error().code(), ErrorCode::kInvalidScenario);
    }
  }
}

TEST_F(WrapperTest, MagicWandTakesWindows) {
  const Params params = Checked(MagicWandSchema(), {{"model_path", path_.string()}});
  const auto wrapper = MakeMagicWandWrapper(params, nullptr, context_);
  ASSERT_TRUE(wrapper) << wrapper.error().ToString();
  const Params narrow = Checked(
      MagicWandSchema(), {{"model_path", path_.string()}, {"window_size", std::int64_t{64}}});
  const auto refused = MakeMagicWandWrapper(narrow, nullptr, context_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().ToString(), HasSubstr("window_size"));
  const Params unknown = Checked(MagicWandSchema(), {{"model_path", std::string("m.xyz")}});
  EXPECT_EQ(MakeMagicWandWrapper(unknown, nullptr, context_).error().code(),
            ErrorCode::kInvalidScenario);
}

TEST_F(WrapperTest, FormatAndFrameworkComeFromThePath) {
  const auto keras = std::filesystem::path(testing::TempDir()) / "wrapper_test_model.h5";
  ASSERT_TRUE(WriteFileAtomically(keras, "not read either"));
  const Params params = Checked(ClassifierSchema("model"), {{"model_path", keras.string()}});
  const auto any = ClassifierFactory({})(params, nullptr, context_);
  ASSERT_TRUE(any) << any.error().ToString();
  EXPECT_EQ((*any)->model().format, "keras");
  EXPECT_EQ((*any)->framework(), "tensorflow");
  EXPECT_TRUE(ClassifierFactory({"keras", "savedmodel"})(params, nullptr, context_));
  const auto torch = ClassifierFactory({"torchscript", "torch_export"})(params, nullptr, context_);
  ASSERT_FALSE(torch);
  EXPECT_THAT(torch.error().message(), HasSubstr("its format is keras; expected: torchscript"));
  std::filesystem::remove(keras);
}

/// Two grey pixels, a class each.
class TwoPixels final : public Dataset {
 public:
  explicit TwoPixels(std::vector<float> mean) {
    info_.name = "TwoPixels";
    info_.sample_specs = {{.name = "x", .shape = {1, 2, 1}}};
    info_.class_names = {"a", "b", "c", "d"};
    info_.stddev.assign(mean.size(), 0.25F);
    info_.mean = std::move(mean);
  }
  Result<> Prepare(ProgressSink&, const CancelToken&) override { return {}; }
  const DatasetInfo& info() const override { return info_; }
  std::size_t size() const override { return 0; }
  Result<std::vector<Tensor>> Load(SampleId) const override { return std::vector<Tensor>{}; }
  Result<GroundTruth> Truth(SampleId) const override { return GroundTruth{}; }
  Result<DatasetSplit> Split() const override { return DatasetSplit{}; }
  Result<std::vector<SampleId>> Calibration() const override { return std::vector<SampleId>{}; }
  std::size_t batch_size() const override { return 1; }

 private:
  DatasetInfo info_;
};

TEST_F(WrapperTest, PetsAreNormalisedAsTheirDatasetSays) {
  const auto keras = std::filesystem::path(testing::TempDir()) / "wrapper_test_pets.h5";
  ASSERT_TRUE(WriteFileAtomically(keras, "not read"));
  spec_.inputs[0].shape = {kAnyDim, 1, 2, 1};
  const auto make = [&](const std::string& normalization, const Dataset& dataset) {
    const Params params = Checked(PetWrapperSchema("model"), {{"model_path", keras.string()},
                                                              {"normalization", normalization}});
    return PetWrapperFactory({"keras", "savedmodel"})(params, &dataset, context_);
  };
  const TwoPixels dataset({0.5F});
  const auto wrapper = make("dataset", dataset);
  ASSERT_TRUE(wrapper) << wrapper.error().ToString();
  EXPECT_EQ((*wrapper)->framework(), "tensorflow");
  Batch batch;
  batch.inputs.push_back(*Tensor::Create(DType::kFloat32, {1, 1, 2, 1}));
  batch.inputs[0].as<float>()[0] = 1;
  batch.inputs[0].as<float>()[1] = 0;
  std::vector<Tensor> out;
  ASSERT_TRUE((*wrapper)->Preprocess(batch, out));
  EXPECT_THAT(out[0].as<float>(), testing::ElementsAre(2, -2));
  ASSERT_TRUE((*make("none", dataset))->Preprocess(batch, out));
  EXPECT_THAT(out[0].as<float>(), testing::ElementsAre(1, 0));
  const TwoPixels plain({});
  const auto refused = make("dataset", plain);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("no published mean"));
  std::filesystem::remove(keras);
}

TEST_F(WrapperTest, AFolderIsDescribedBesideIt) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "wrapper_test_saved";
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(WriteFileAtomically(folder / "saved_model.pb", "graph"));
  ASSERT_TRUE(WriteFileAtomically(folder.string() + ".json", R"({
    "input": [{"name": "in", "shape": [1, 8], "dtype": "float32"}],
    "output": [{"name": "out", "shape": [1, 2], "dtype": "float32"}]})"));
  context_.format_of = [](const std::string&) { return "savedmodel"; };
  const Params params = Checked(ClassifierSchema("model"), {{"model_path", folder.string() + "/"}});
  const auto wrapper = ClassifierFactory({})(params, nullptr, context_);
  ASSERT_TRUE(wrapper) << wrapper.error().ToString();
  EXPECT_EQ((*wrapper)->model().path, folder);
  EXPECT_EQ((*wrapper)->model().size_bytes, 5U);
  EXPECT_EQ((*wrapper)->model().spec.inputs[0].shape, (Shape{1, 8}));
  std::filesystem::remove_all(folder);
  std::filesystem::remove(folder.string() + ".json");
}

}  // namespace
}  // namespace kenning
