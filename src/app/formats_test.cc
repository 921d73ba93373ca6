// SPDX-License-Identifier: Apache-2.0
#include "app/formats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kenning/base/check.h"

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class FormatsTest : public testing::Test {
 protected:
  void SetUp() override {
    registry_.AddInspector({"keras", {".h5", ".keras"}, {}});
    registry_.AddInspector({"onnx", {".onnx"}, {}});
    registry_.AddInspector({"tflite", {".tflite"}, {}});
    registry_.AddInspector({"torchscript", {".pt"}, {}});
    AddBlock(BlockCategory::kOptimizer, "ToLite", {"keras", "savedmodel", "onnx"}, {"tflite"});
    AddBlock(BlockCategory::kOptimizer, "ToOnnx", {"onnx", "keras", "tflite"}, {"onnx"});
    AddBlock(BlockCategory::kOptimizer, "Torch", {"torchscript"}, {"torchscript", "onnx"});
    AddBlock(BlockCategory::kOptimizer, "ToTvm", {"onnx", "tflite", "torchscript"}, {"tvm"});
    AddBlock(BlockCategory::kRuntime, "OnnxRuns", {"onnx"}, {});
  }

  void AddBlock(BlockCategory category, std::string name, std::vector<std::string> accepts,
                std::vector<std::string> produces) {
    BlockInfo info;
    info.category = category;
    info.name = std::move(name);
    info.accepts = std::move(accepts);
    info.produces = std::move(produces);
    KENNING_CHECK(registry_.Add(std::move(info)).has_value());
  }

  void Optimize(std::string_view name, std::string path = "out",
                ParamValue framework = std::string("any")) {
    scenario_.optimizers.push_back({.key_path = std::string(name),
                                    .info = registry_.Find(BlockCategory::kOptimizer, name).value(),
                                    .params = Params({{"compiled_model_path", std::move(path)},
                                                      {"model_framework", std::move(framework)}})});
  }

  std::vector<std::string> Chain(const std::string& format) {
    problems_.clear();
    return ChainFormats(scenario_, format, registry_,
                        [this](const ScenarioBlock& block, const std::string& text) {
                          problems_.push_back(block.key_path + ": " + text);
                        });
  }

  Registry registry_;
  Scenario scenario_;
  std::vector<std::string> problems_;
};

TEST_F(FormatsTest, AChainPassesEachBlocksFormat) {
  Optimize("ToLite");
  Optimize("ToTvm");
  EXPECT_THAT(Chain("keras"), ElementsAre("keras", "tflite", "tvm"));
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(FormatsTest, OfSeveralFormatsTheNextBlocksFirstIsTaken) {
  Optimize("Torch");
  EXPECT_THAT(Chain("torchscript"), ElementsAre("torchscript", "torchscript"));
  Optimize("ToTvm");
  EXPECT_THAT(Chain("torchscript"), ElementsAre("torchscript", "onnx", "tvm"));
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(FormatsTest, TheNameOfTheResultDecidesBeforeThat) {
  Optimize("Torch", "out.pt");
  Optimize("ToTvm");
  EXPECT_THAT(Chain("torchscript"), ElementsAre("torchscript", "torchscript", "tvm"));
  scenario_.optimizers.clear();
  Optimize("Torch", "out.ONNX");
  EXPECT_THAT(Chain("torchscript"), ElementsAre("torchscript", "onnx"));
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(FormatsTest, ModelFrameworkNarrowsWhatABlockTakes) {
  Optimize("ToLite", "out", std::string("tensorflow"));
  Chain("keras");
  EXPECT_THAT(problems_, IsEmpty());
  Chain("onnx");
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_THAT(problems_[0], HasSubstr("ToLite takes keras, savedmodel (model_framework "
                                      "\"tensorflow\"), but the block before gives onnx"));
  scenario_.optimizers.clear();
  Optimize("ToTvm", "out", ParamValue{});
  Chain("tflite");
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(FormatsTest, AGapIsReportedWithWhatClosesIt) {
  Optimize("ToTvm");
  EXPECT_THAT(Chain("keras"), ElementsAre("keras", "tvm"));
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_EQ(problems_[0],
            "ToTvm: ToTvm takes onnx, tflite, torchscript, but the block before gives keras; put "
            "ToLite (keras to tflite) or ToOnnx (keras to onnx) before it");
  scenario_.optimizers.clear();
  Optimize("ToLite");
  scenario_.runtime = ScenarioBlock{
      .key_path = "runtime", .info = registry_.Find(BlockCategory::kRuntime, "OnnxRuns").value()};
  Chain("keras");
  ASSERT_EQ(problems_.size(), 1U);
  EXPECT_EQ(problems_[0],
            "runtime: OnnxRuns runs onnx, but the model arrives as tflite; put ToOnnx (tflite to "
            "onnx) before it");
}

TEST_F(FormatsTest, TheRuntimeMadeForAFormatIsTheFirst) {
  AddBlock(BlockCategory::kRuntime, "AllRuns", {"onnx", "tflite"}, {});
  const auto runtimes = RuntimesFor("onnx", registry_);
  ASSERT_EQ(runtimes.size(), 2U);
  EXPECT_EQ(runtimes[0]->name, "OnnxRuns");
  EXPECT_EQ(runtimes[1]->name, "AllRuns");
  EXPECT_EQ(RuntimesFor("tflite", registry_).size(), 1U);
  EXPECT_TRUE(RuntimesFor("other", registry_).empty());
}

}  // namespace
}  // namespace kenning
