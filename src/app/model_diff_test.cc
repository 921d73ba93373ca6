// SPDX-License-Identifier: Apache-2.0
#include "app/model_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kenning/core/quant_cast.h"

namespace kenning {
namespace {

using testing::HasSubstr;

/// Doubles its input, plus `error` in one element; shows the doubled input as a tensor inside.
class DoublingSession final : public Session {
 public:
  DoublingSession(TensorSpec input, TensorSpec output, float error, bool shows)
      : error_(error), shows_(shows) {
    spec_.inputs = {std::move(input)};
    spec_.outputs = {std::move(output)};
  }
  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape>) override {
    return spec_.outputs;
  }
  Result<> Invoke(std::span<const TensorView> in, std::span<const MutableTensorView> out) override {
    KENNING_ASSIGN_OR_RETURN(std::vector<float> values, ToFloats(in[0], spec_.inputs[0].quant));
    for (float& value : values) value *= 2;
    values[1] += error_;
    return FromFloats(values, spec_.outputs[0].quant, out[0]);
  }
  Result<std::vector<OperatorProfile>> Profile() override { return std::vector<OperatorProfile>{}; }
  Result<std::vector<NamedTensor>> Intermediates(std::span<const TensorView> in) override {
    if (!shows_) return Session::Intermediates(in);
    std::vector<NamedTensor> inner;
    for (const char* name : {"first", "second"}) {
      Tensor tensor = Tensor::Create(DType::kFloat32, spec_.inputs[0].shape).value();
      KENNING_ASSIGN_OR_RETURN(std::vector<float> values, ToFloats(in[0], spec_.inputs[0].quant));
      if (std::string_view(name) == "second") values[0] += 100 * error_;
      std::ranges::copy(values, tensor.as<float>().begin());
      inner.push_back({name, std::move(tensor), std::nullopt});
    }
    return inner;
  }

 private:
  ModelSpec spec_;
  float error_;
  bool shows_;
};

class NamedRuntime final : public Runtime {
 public:
  EngineVersion engine() const override { return {"test", "1"}; }
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path&, const std::string&) override {
    return Fail(ErrorCode::kUnsupported, "");
  }
  std::filesystem::path model_path() const override { return {}; }
};

const TensorSpec kFirst = {.name = "x", .shape = {1, 2, 3, 4}, .layout = "NCHW"};
const TensorSpec kLast = {.name = "x", .shape = {1, 3, 4, 2}, .layout = "NHWC"};

class ModelDiffTest : public testing::Test {
 protected:
  LoadedModel Make(TensorSpec input, TensorSpec output, float error = 0, bool shows = true) {
    LoadedModel model;
    model.artifact.path = "model.x";
    model.runtime_info = &info_;
    model.runtime = std::make_unique<NamedRuntime>();
    model.session =
        std::make_unique<DoublingSession>(std::move(input), std::move(output), error, shows);
    return model;
  }
  Result<ModelDiff> Compare(const LoadedModel& a, const LoadedModel& b) {
    auto samples = RandomSamples(JoinedInputs(a), JoinedInputs(b), 8, 0);
    if (!samples) return Fail(std::move(samples).error());
    AppContext context{registry_, progress_, cancel_};
    return CompareModels(a, b, **samples, {}, context);
  }

  Registry registry_;
  NullProgress progress_;
  CancelToken cancel_;
  BlockInfo info_{.name = "TestRuntime"};
};

TEST_F(ModelDiffTest, AModelAgreesWithItself) {
  const auto diff = Compare(Make(kFirst, kFirst), Make(kFirst, kFirst));
  ASSERT_TRUE(diff) << diff.error().ToString();
  EXPECT_EQ(diff->max_error(), 0);
  EXPECT_EQ(diff->sample_count, 8U);
  EXPECT_FALSE(diff->first_diverged);
  EXPECT_EQ(diff->layers.size(), 2U);
}

TEST_F(ModelDiffTest, LayoutsAreAligned) {
  const auto diff = Compare(Make(kFirst, kFirst), Make(kLast, kLast));
  ASSERT_TRUE(diff) << diff.error().ToString();
  EXPECT_EQ(diff->max_error(), 0);
  EXPECT_EQ(diff->layers.at(0).diff.max_abs, 0);
}

TEST_F(ModelDiffTest, QuantisedTensorsAreComparedAsFloats) {
  TensorSpec in = kFirst;
  in.dtype = DType::kInt8;
  in.quant = QuantParams{{1.0F / 64}, {-128}, 0};
  TensorSpec out = in;
  out.quant = QuantParams{{1.0F / 32}, {-128}, 0};
  const auto diff = Compare(Make(kFirst, kFirst), Make(in, out));
  ASSERT_TRUE(diff) << diff.error().ToString();
  EXPECT_GT(diff->max_error(), 0);
  // Rounding of the input by half a step, doubled, and of the output by half a step.
  EXPECT_LE(diff->max_error(), 2 * 0.5 / 64 + 0.5 / 32 + 1e-6);
  EXPECT_THAT(diff->samples, HasSubstr("0 to 3.984"));
}

TEST_F(ModelDiffTest, TheFirstLayerThatDivergesIsNamed) {
  const auto diff = Compare(Make(kFirst, kFirst), Make(kFirst, kFirst, 0.5F));
  ASSERT_TRUE(diff) << diff.error().ToString();
  EXPECT_NEAR(diff->max_error(), 0.5, 1e-6);
  ASSERT_TRUE(diff->first_diverged);
  EXPECT_EQ(diff->layers[*diff->first_diverged].name_a, "second");
  EXPECT_EQ(diff->worst.size(), 5U);
  EXPECT_GE(diff->worst[0].diff.relative, diff->worst[4].diff.relative);
  const std::string text = DescribeDiff(*diff);
  EXPECT_THAT(text, HasSubstr("first layer that diverges: second"));
  const auto json = nlohmann::json::parse(DiffToJson(*diff));
  EXPECT_EQ(json["first_diverged"], "second");
  EXPECT_EQ(json["layers"].size(), 2U);
}

TEST_F(ModelDiffTest, Top1IsCountedForScores) {
  const TensorSpec scores = {.name = "y", .shape = {1, 24}};
  const auto diff = Compare(Make(kFirst, scores), Make(kFirst, scores, 1000));
  ASSERT_TRUE(diff) << diff.error().ToString();
  ASSERT_TRUE(diff->outputs[0].same_top1);
  EXPECT_LT(*diff->outputs[0].same_top1, 8U);
  ASSERT_TRUE(diff->worst[0].top1);
  EXPECT_EQ(diff->worst[0].top1->second, 1U);
}

TEST_F(ModelDiffTest, EnginesThatShowNothingAreNamed) {
  const auto diff = Compare(Make(kFirst, kFirst), Make(kFirst, kFirst, 0, false));
  ASSERT_TRUE(diff) << diff.error().ToString();
  EXPECT_TRUE(diff->layers.empty());
  EXPECT_THAT(DescribeDiff(*diff), HasSubstr("not compared (TestRuntime: this engine"));
}

TEST_F(ModelDiffTest, WhatDoesNotCorrespondIsAnError) {
  TensorSpec other = kFirst;
  other.shape = {1, 5};
  const auto inputs = Compare(Make(kFirst, kFirst), Make(other, other));
  ASSERT_FALSE(inputs);
  EXPECT_EQ(inputs.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(inputs.error().ToString(), HasSubstr("does not fit the input"));
}

TEST_F(ModelDiffTest, NoiseIsTheSameForASeed) {
  const auto one = RandomSamples({kFirst}, {}, 4, 7).value();
  const auto two = RandomSamples({kFirst}, {}, 4, 7).value();
  const auto other = RandomSamples({kFirst}, {}, 4, 8).value();
  EXPECT_EQ(one->Get(3).value()[0].values, two->Get(3).value()[0].values);
  EXPECT_NE(one->Get(3).value()[0].values, other->Get(3).value()[0].values);
  EXPECT_NE(one->Get(3).value()[0].values, one->Get(2).value()[0].values);
}

}  // namespace
}  // namespace kenning
