// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: a platform, a dataset, a model wrapper and a session that are known by heart.
#pragma once

#include <optional>
#include <vector>

#include "kenning/core/dataset.h"
#include "kenning/core/model_wrapper.h"
#include "kenning/core/platform.h"
#include "kenning/core/runtime.h"

namespace kenning::testing_blocks {

/// A machine of which nothing is known.
class FakePlatform final : public Platform {
 public:
  const PlatformInfo& info() const override { return info_; }
  bool saturating_int8() const override { return false; }

 private:
  PlatformInfo info_;
};

/// Ten samples of one number each; the label is the number's remainder by 3.
class CountingDataset final : public Dataset {
 public:
  explicit CountingDataset(std::size_t batch_size) : batch_size_(batch_size) {
    info_.name = "Counting";
    info_.task = "classification";
    info_.class_names = {"a", "b", "c"};
  }
  Result<> Prepare(ProgressSink&, const CancelToken&) override { return {}; }
  const DatasetInfo& info() const override { return info_; }
  std::size_t size() const override { return 10; }
  Result<std::vector<Tensor>> Load(SampleId id) const override {
    std::vector<Tensor> tensors;
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(DType::kFloat32, {1}));
    tensor.as<float>()[0] = static_cast<float>(id);
    tensors.push_back(std::move(tensor));
    return tensors;
  }
  Result<GroundTruth> Truth(SampleId id) const override {
    return ClassTruth{static_cast<std::int32_t>(id % 3)};
  }
  Result<DatasetSplit> Split() const override {
    DatasetSplit split;
    for (SampleId id = 0; id < 10; ++id) split.test.push_back(id);
    return split;
  }
  Result<std::vector<SampleId>> Calibration() const override { return std::vector<SampleId>{}; }
  std::size_t batch_size() const override { return batch_size_; }

 private:
  DatasetInfo info_;
  std::size_t batch_size_;
};

/// Passes numbers through; scores one class per output column.
class PassThrough final : public ModelWrapper {
 public:
  explicit PassThrough(ModelArtifact model = {}) : model_(std::move(model)) {}
  const ModelArtifact& model() const override { return model_; }
  std::string framework() const override { return "test"; }
  Result<> Preprocess(const Batch& batch, std::vector<Tensor>& out) const override {
    out.clear();
    out.push_back(batch.inputs[0].Clone());
    return {};
  }
  Result<> Postprocess(std::span<const TensorView> outputs, const Batch& batch,
                       std::vector<Prediction>& out) const override {
    const auto scores = outputs[0].as<float>();
    for (std::size_t i = 0; i < batch.valid_count; ++i) {
      out.push_back(
          {batch.ids[i], ClassScores{{scores[3 * i], scores[3 * i + 1], scores[3 * i + 2]}}, 0});
    }
    return {};
  }

 private:
  ModelArtifact model_;
};

/// Gives the highest score to the remainder by 3 of its (quantised or plain) input.
class RemainderSession final : public Session {
 public:
  RemainderSession(std::int64_t batch, DType input_type) {
    TensorSpec input;
    input.name = "x";
    input.dtype = input_type;
    input.shape = {batch, 1};
    if (input_type == DType::kInt8) input.quant = QuantParams{{0.5F}, {-3}, 0};
    TensorSpec output;
    output.name = "y";
    output.shape = {batch, 3};
    spec_.inputs = {input};
    spec_.outputs = {output};
  }
  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> shapes) override {
    std::vector<TensorSpec> outputs = spec_.outputs;
    outputs[0].shape[0] = shapes[0][0];
    return outputs;
  }
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override {
    const auto rows = static_cast<std::size_t>(inputs[0].shape[0]);
    rows_.push_back(rows);
    if (fail_at_ && rows_.size() == *fail_at_) return Fail(ErrorCode::kEngineFailure, "boom");
    for (std::size_t i = 0; i < rows; ++i) {
      const int value = inputs[0].dtype == DType::kInt8
                            ? (inputs[0].as<std::int8_t>()[i] + 3) / 2
                            : static_cast<int>(inputs[0].as<float>()[i]);
      for (int c = 0; c < 3; ++c) {
        outputs[0].as<float>()[3 * i + static_cast<std::size_t>(c)] = value % 3 == c ? 1.0F : 0.0F;
      }
    }
    return {};
  }
  Result<std::vector<OperatorProfile>> Profile() override { return std::vector<OperatorProfile>{}; }
  std::vector<std::size_t> rows_;
  std::optional<std::size_t> fail_at_;

 private:
  ModelSpec spec_;
};

}  // namespace kenning::testing_blocks
