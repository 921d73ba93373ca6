// SPDX-License-Identifier: Apache-2.0
#include "quantizer/onnx_quantizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "kenning/base/file.h"
#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/passes.h"
#include "quantizer/calibration_run.h"
#include "quantizer/equalize.h"
#include "quantizer/selection.h"
#include "quantizer/testing_models.h"

namespace kenning::quantizer {
namespace {

using onnx_graph::Graph;
using onnx_graph::IsOp;
using testing::HasSubstr;
using testing_models::Builder;
using testing_models::RandomSamples;
using testing_models::SmallNetwork;

class QuantizerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    settings_.output_path = folder_ / "int8.onnx";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<ModelArtifact> Quantise(const onnx::ModelProto& model) {
    ModelArtifact input;
    input.path = folder_ / "float.onnx";
    input.format = "onnx";
    EXPECT_TRUE(WriteFileAtomically(input.path, model.SerializeAsString()));
    OptimizeContext context{&samples_, progress_, cancel_};
    return OnnxQuantizer(settings_, {}).Optimize(input, context);
  }

  double SignalToNoise(const onnx::ModelProto& reference, const onnx::ModelProto& candidate) {
    OptimizeContext context{&samples_, progress_, cancel_};
    const auto outputs = OutputReference::Make(reference, "test", 16, context);
    EXPECT_TRUE(outputs) << outputs.error().ToString();
    const Result<double> ratio =
        outputs->SignalToNoise(candidate.SerializeAsString(), "test", context);
    EXPECT_TRUE(ratio) << ratio.error().ToString();
    return ratio ? *ratio : -999;
  }

  static int CountOps(const onnx::ModelProto& model, const std::string& op) {
    int count = 0;
    for (const auto& node : model.graph().node()) count += node.op_type() == op ? 1 : 0;
    return count;
  }

  std::filesystem::path folder_;
  Settings settings_;
  RandomSamples samples_{40, {1, 3, 8, 8}};
  NullProgress progress_;
  CancelToken cancel_;
};

TEST_F(QuantizerTest, TheResultIsCloseForEverySetting) {
  const onnx::ModelProto model = SmallNetwork();
  for (const RangeMethod method :
       {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kEntropy, RangeMethod::kMse}) {
    for (const bool is_signed : {false, true}) {
      for (const bool symmetric : {false, true}) {
        for (const bool per_channel : {false, true}) {
          settings_.method = method;
          settings_.signed_activations = is_signed;
          settings_.symmetric_activations = symmetric;
          settings_.per_channel = per_channel;
          const auto artifact = Quantise(model);
          ASSERT_TRUE(artifact) << artifact.error().ToString();
          const auto written = onnx_graph::ReadOnnxModel(artifact->path);
          ASSERT_TRUE(written) << written.error().ToString();
          EXPECT_GT(SignalToNoise(model, *written), 20)
              << static_cast<int>(method) << is_signed << symmetric << per_channel;
        }
      }
    }
  }
}

TEST_F(QuantizerTest, AutoTakesTheBestAndNamesAll) {
  const onnx::ModelProto model = SmallNetwork();
  double best = -999;
  for (const RangeMethod method :
       {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kEntropy, RangeMethod::kMse}) {
    settings_.method = method;
    best = std::max(best, SignalToNoise(model, *onnx_graph::ReadOnnxModel(Quantise(model)->path)));
  }
  settings_.method = RangeMethod::kAuto;
  const auto artifact = Quantise(model);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  // Measured on other samples than the choice was made on.
  EXPECT_GT(SignalToNoise(model, *onnx_graph::ReadOnnxModel(artifact->path)), best - 1.5);
  std::string notes;
  for (const std::string& note : artifact->provenance[0].notes) notes += note + "\n";
  for (const char* name : {"minmax", "percentile", "mse", "entropy"}) {
    EXPECT_THAT(notes, HasSubstr(name));
  }
}

TEST_F(QuantizerTest, TheFormIsQdqWithInt8Weights) {
  const auto artifact = Quantise(SmallNetwork());
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  const onnx::ModelProto model = *onnx_graph::ReadOnnxModel(artifact->path);
  EXPECT_EQ(CountOps(model, "BatchNormalization"), 0);
  EXPECT_EQ(CountOps(model, "Conv"), 3);
  // x, r1, r2, c3, r3, pooled, flat.
  EXPECT_EQ(CountOps(model, "QuantizeLinear"), 7);
  int int8 = 0;
  int int32 = 0;
  for (const auto& tensor : model.graph().initializer()) {
    int8 += tensor.data_type() == onnx::TensorProto::INT8 && tensor.dims_size() > 1 ? 1 : 0;
    int32 += tensor.data_type() == onnx::TensorProto::INT32 && tensor.name().ends_with("quantized")
                 ? 1
                 : 0;
  }
  EXPECT_EQ(int8, 4);
  EXPECT_EQ(int32, 4);
  // The interface is the float model's.
  EXPECT_EQ(artifact->spec.inputs[0].name, "x");
  EXPECT_EQ(artifact->spec.inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(artifact->spec.outputs[0].name, "y");
  ASSERT_EQ(artifact->provenance.size(), 1U);
  EXPECT_EQ(artifact->sha256, *Sha256OfFile(artifact->path));
}

TEST_F(QuantizerTest, TheSameInputsGiveTheSameBytes) {
  const auto first = Quantise(SmallNetwork());
  const std::string bytes = *ReadFile(first->path);
  const auto second = Quantise(SmallNetwork());
  EXPECT_EQ(bytes, *ReadFile(second->path));
}

TEST_F(QuantizerTest, OlderOperatorSetsAreRaised) {
  const onnx::ModelProto model = SmallNetwork(9);
  const auto artifact = Quantise(model);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  const onnx::ModelProto written = *onnx_graph::ReadOnnxModel(artifact->path);
  EXPECT_GE(onnx_graph::OpsetVersion(written), 13);
  EXPECT_GT(SignalToNoise(model, written), 20);
}

TEST_F(QuantizerTest, ExcludedNodesStayFloat) {
  settings_.excluded_nodes = {"c2_node"};
  const auto artifact = Quantise(SmallNetwork());
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  const onnx::ModelProto model = *onnx_graph::ReadOnnxModel(artifact->path);
  for (const auto& node : model.graph().node()) {
    if (node.name() == "c2_node") {
      EXPECT_EQ(node.input(1), "c2_w");
    }
  }
  settings_.excluded_nodes = {"c2_nod"};
  const auto typo = Quantise(SmallNetwork());
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(typo.error().message(), HasSubstr("c2_node"));
}

TEST_F(QuantizerTest, OnlyChosenTypes) {
  settings_.only_types = {"Gemm"};
  const auto artifact = Quantise(SmallNetwork());
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  const onnx::ModelProto model = *onnx_graph::ReadOnnxModel(artifact->path);
  EXPECT_EQ(CountOps(model, "QuantizeLinear"), 1);
}

TEST_F(QuantizerTest, APairSafeModelSaysSo) {
  settings_.weight_range = WeightRange::kPairSafe;
  settings_.weight_range_chosen = true;
  const onnx::ModelProto model = SmallNetwork();
  const auto artifact = Quantise(model);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  std::string notes;
  for (const std::string& note : artifact->provenance[0].notes) notes += note + "\n";
  EXPECT_THAT(notes, HasSubstr("no VNNI"));
  EXPECT_GT(SignalToNoise(model, *onnx_graph::ReadOnnxModel(artifact->path)), 20);
}

TEST_F(QuantizerTest, TheLimitFollowsTheTarget) {
  class Target final : public Platform {
   public:
    explicit Target(bool saturating) : saturating_(saturating) {}
    const PlatformInfo& info() const override { return info_; }
    bool saturating_int8() const override { return saturating_; }

   private:
    PlatformInfo info_;
    bool saturating_;
  };
  std::map<std::string, ParamValue, std::less<>> values;
  for (const auto& [name, value] :
       std::map<std::string, ParamValue>{{"compiled_model_path", (folder_ / "o.onnx").string()},
                                         {"calibration_method", std::string("minmax")},
                                         {"percentile", 99.9},
                                         {"max_calibration_samples", std::int64_t{8}},
                                         {"activation_type", std::string("uint8")},
                                         {"symmetric_activations", false},
                                         {"per_channel", true},
                                         {"weight_range", std::string("auto")},
                                         {"bias_correction", true},
                                         {"cross_layer_equalization", false},
                                         {"nodes_to_quantize", std::vector<std::string>{}},
                                         {"nodes_to_exclude", std::vector<std::string>{}},
                                         {"op_types_to_quantize", std::vector<std::string>{}},
                                         {"op_types_to_exclude", std::vector<std::string>{}}}) {
    values[name] = value;
  }
  EXPECT_EQ(ReadSettings(Params(values), true)->weight_range, WeightRange::kPairSafe);
  EXPECT_EQ(ReadSettings(Params(values), false)->weight_range, WeightRange::kFull);
  const Target target(true);
  BlockContext context;
  context.platform = &target;
  EXPECT_TRUE(MakeOnnxQuantizer(Params(values), context));
}

TEST_F(QuantizerTest, FoldingKeepsTheFunction) {
  const onnx::ModelProto model = SmallNetwork();
  onnx::ModelProto folded = model;
  Graph graph(*folded.mutable_graph());
  EXPECT_EQ(*onnx_graph::FoldBatchNormalization(graph), 1);
  EXPECT_GT(SignalToNoise(model, folded), 100);
}

TEST_F(QuantizerTest, EqualisingKeepsTheFunctionAndEvensTheRanges) {
  Builder b({1, 3, 8, 8});
  b.Conv("x", "a", 3, 6);
  b.Node("Relu", {"a"}, "ra");
  b.Conv("ra", "d", 6, 6, 6);
  b.Node("Relu", {"d"}, "rd");
  b.Conv("rd", "y", 6, 2);
  const onnx::ModelProto model = b.Finish("y", {1, 2, 8, 8});
  onnx::ModelProto equal = model;
  Graph graph(*equal.mutable_graph());
  const auto pairs = EqualizeLayers(graph);
  ASSERT_TRUE(pairs) << pairs.error().ToString();
  EXPECT_EQ(*pairs, 2);
  EXPECT_GT(SignalToNoise(model, equal), 90);
  EXPECT_NE(graph.FindInitializer("a_w")->raw_data(), model.graph().initializer(0).raw_data());
}

TEST_F(QuantizerTest, BiasCorrectionLowersTheMeanError) {
  // Coarse weights (16 levels would be worse still) on inputs with a mean far from zero.
  Builder b({1, 3, 8, 8});
  b.Conv("x", "y", 3, 4);
  const onnx::ModelProto model = b.Finish("y", {1, 4, 8, 8});
  settings_.per_channel = false;
  settings_.weight_range = WeightRange::kReduced;
  settings_.bias_correction = false;
  const double without = SignalToNoise(model, *onnx_graph::ReadOnnxModel(Quantise(model)->path));
  settings_.bias_correction = true;
  const double with = SignalToNoise(model, *onnx_graph::ReadOnnxModel(Quantise(model)->path));
  EXPECT_GT(with, without - 0.5);
}

TEST_F(QuantizerTest, WhatCannotBeQuantisedIsAnErrorAndWritesNothing) {
  Builder b({1, 3, 8, 8});
  b.Node("Relu", {"x"}, "y");
  const auto nothing = Quantise(b.Finish("y", {1, 3, 8, 8}));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), ErrorCode::kUnsupported);
  EXPECT_FALSE(std::filesystem::exists(settings_.output_path));

  const auto once = Quantise(SmallNetwork());
  ASSERT_TRUE(once);
  const auto twice = Quantise(*onnx_graph::ReadOnnxModel(once->path));
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().ToString(), HasSubstr("quantised already"));
}

TEST_F(QuantizerTest, BadCalibrationIsAnError) {
  samples_ = RandomSamples(0, {1, 3, 8, 8});
  const auto none = Quantise(SmallNetwork());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kFailedPrecondition);
  samples_ = RandomSamples(4, {1, 3, 8, 8});
  samples_.Poison();
  const auto poisoned = Quantise(SmallNetwork());
  ASSERT_FALSE(poisoned);
  EXPECT_EQ(poisoned.error().code(), ErrorCode::kInvalidData);
  samples_ = RandomSamples(4, {1, 3, 8, 8});
  cancel_.Cancel();
  EXPECT_EQ(Quantise(SmallNetwork()).error().code(), ErrorCode::kCancelled);
  EXPECT_FALSE(std::filesystem::exists(settings_.output_path));
}

TEST_F(QuantizerTest, AFixedBatchIsFilled) {
  Builder b({4, 3, 8, 8});
  b.Conv("x", "y", 3, 2);
  const onnx::ModelProto model = b.Finish("y", {4, 2, 8, 8});
  const auto artifact = Quantise(model);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  EXPECT_GT(SignalToNoise(model, *onnx_graph::ReadOnnxModel(artifact->path)), 30);
}

TEST_F(QuantizerTest, TheShippedModelKeepsItsScores) {
  const auto model = onnx_graph::ReadOnnxModel(std::filesystem::path(KENNING_SOURCE_DIR) /
                                               "resources/models/magic_wand.onnx");
  ASSERT_TRUE(model) << model.error().ToString();
  samples_ = RandomSamples(20, {1, 128, 3});
  const auto artifact = Quantise(*model);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  EXPECT_GT(SignalToNoise(*model, *onnx_graph::ReadOnnxModel(artifact->path)), 15);
}

}  // namespace
}  // namespace kenning::quantizer
