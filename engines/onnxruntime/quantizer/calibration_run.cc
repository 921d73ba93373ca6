// SPDX-License-Identifier: Apache-2.0
#include "quantizer/calibration_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "onnx_graph/graph.h"
#include "ort_api.h"

namespace kenning::quantizer {
namespace {

constexpr std::size_t kMostReferenceValues = (std::size_t{16} << 20) / sizeof(float);

/// A loaded model that takes calibration samples.
class FloatSession {
 public:
  FloatSession(const std::string& bytes, const std::string& name) : name_(name) {
    Ort::SessionOptions options;
    options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    // An arena would keep twice what the activations need.
    options.DisableCpuMemArena();
    session_ = Ort::Session(ort::Environment(), bytes.data(), bytes.size(), options);
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
      input_names_.emplace_back(session_.GetInputNameAllocated(i, allocator).get());
      const auto shape = session_.GetInputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      if (!shape.empty() && shape[0] > 1) batch_ = static_cast<std::size_t>(shape[0]);
    }
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
      output_names_.emplace_back(session_.GetOutputNameAllocated(i, allocator).get());
    }
  }

  const std::vector<std::string>& input_names() const { return input_names_; }
  const std::vector<std::string>& output_names() const { return output_names_; }
  /// What the last Run took.
  const std::vector<Tensor>& inputs() const { return inputs_; }
  /// Samples of one run: a model with a fixed batch takes as many.
  std::size_t batch() const { return batch_; }

  /// Runs samples `indices` (repeating the last one to fill a fixed batch).
  Result<std::vector<Ort::Value>> Run(CalibrationView& view, std::span<const std::size_t> indices) {
    KENNING_RETURN_IF_ERROR(FillInputs(view, indices));
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<Ort::Value> values;
    std::vector<const char*> inputs;
    std::vector<const char*> outputs;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      values.push_back(Ort::Value::CreateTensor(
          memory, inputs_[i].data(), inputs_[i].size_bytes(), inputs_[i].shape().data(),
          inputs_[i].shape().size(), ort::ToOnnxType(inputs_[i].dtype())));
      inputs.push_back(input_names_[i].c_str());
    }
    for (const std::string& output : output_names_) outputs.push_back(output.c_str());
    return session_.Run(Ort::RunOptions{nullptr}, inputs.data(), values.data(), values.size(),
                        outputs.data(), outputs.size());
  }

 private:
  Result<> FillInputs(CalibrationView& view, std::span<const std::size_t> indices) {
    for (std::size_t k = 0; k < batch_; ++k) {
      KENNING_RETURN_IF_ERROR(view.Get(indices[std::min(k, indices.size() - 1)], sample_),
                              fmt::format("calibration sample {}", indices[0]));
      if (sample_.size() != input_names_.size()) {
        return Fail(ErrorCode::kInvalidScenario,
                    fmt::format("{} has {} inputs, the calibration samples {}", name_,
                                input_names_.size(), sample_.size()));
      }
      if (batch_ == 1) {
        inputs_.swap(sample_);
        return {};
      }
      if (inputs_.size() != sample_.size()) KENNING_RETURN_IF_ERROR(MakeInputs());
      for (std::size_t i = 0; i < sample_.size(); ++i) {
        std::memcpy(inputs_[i].data() + k * sample_[i].size_bytes(), sample_[i].data(),
                    sample_[i].size_bytes());
      }
    }
    return {};
  }

  Result<> MakeInputs() {
    inputs_.clear();
    for (const Tensor& one : sample_) {
      Shape shape = one.shape();
      shape[0] = static_cast<std::int64_t>(batch_);
      KENNING_ASSIGN_OR_RETURN(Tensor input, Tensor::Create(one.dtype(), std::move(shape)));
      inputs_.push_back(std::move(input));
    }
    return {};
  }

  std::string name_;
  Ort::Session session_{nullptr};
  std::vector<std::string> input_names_;
  std::vector<std::string> output_names_;
  std::size_t batch_ = 1;
  std::vector<Tensor> sample_;
  std::vector<Tensor> inputs_;
};

/// Indices spread evenly over all samples.
std::vector<std::size_t> Spread(std::size_t size, std::size_t most) {
  const std::size_t count = std::min(size, most);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < count; ++i) indices.push_back(i * size / count);
  return indices;
}

bool IsFloat(const Ort::Value& value) {
  return value.IsTensor() &&
         value.GetTensorTypeAndShapeInfo().GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
}

std::span<const float> ValuesOf(const Ort::Value& value) {
  return {value.GetTensorData<float>(), value.GetTensorTypeAndShapeInfo().GetElementCount()};
}

void AddChannelMeans(std::span<const float> values, const std::vector<std::int64_t>& shape,
                     TensorStatistics& statistics) {
  if (shape.size() < 2 || shape[1] <= 0) return;
  // Convolutions have channels at axis 1; a product of more than two dimensions at the last one,
  // but then bias correction is not done, as the axes cannot be told apart here.
  const auto channels = static_cast<std::size_t>(shape[1]);
  std::size_t inner = 1;
  for (std::size_t d = 2; d < shape.size(); ++d) inner *= static_cast<std::size_t>(shape[d]);
  const std::size_t outer = static_cast<std::size_t>(shape[0]);
  if (outer * channels * inner == 0) return;
  if (statistics.channel_means.empty()) statistics.channel_means.resize(channels, 0.0);
  if (statistics.channel_means.size() != channels) return;
  ++statistics.samples;
  const float* at = values.data();
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t c = 0; c < channels; ++c) {
      double sum = 0;
      for (std::size_t i = 0; i < inner; ++i) sum += static_cast<double>(*at++);
      statistics.channel_means[c] += sum / static_cast<double>(outer * inner);
    }
  }
}

Result<> CheckView(CalibrationView* view) {
  if (view == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition,
                "quantising needs calibration samples: add a dataset to the scenario");
  }
  if (view->size() > 0) return {};
  // The view knows best why it is empty.
  std::vector<Tensor> none;
  KENNING_RETURN_IF_ERROR(view->Get(0, none));
  return Fail(ErrorCode::kFailedPrecondition, "there are no calibration samples");
}

void Look(std::span<const float> values, const std::vector<std::int64_t>& shape,
          TensorStatistics& statistics) {
  statistics.histogram.Add(values);
  AddChannelMeans(values, shape, statistics);
}

using StatisticsMap = std::map<std::string, TensorStatistics>;

Result<> Collect(FloatSession& session, const CalibrationRequest& request, OptimizeContext& context,
                 StatisticsMap& statistics) {
  const std::vector<std::size_t> indices = Spread(context.calibration->size(), request.max_samples);
  for (std::size_t done = 0; done < indices.size();) {
    if (context.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "calibration was cancelled");
    const std::size_t count = std::min(session.batch(), indices.size() - done);
    KENNING_ASSIGN_OR_RETURN(
        const std::vector<Ort::Value> values,
        session.Run(*context.calibration, std::span(indices).subspan(done, count)));
    for (std::size_t o = 0; o < values.size(); ++o) {
      const std::string& name = session.output_names()[o];
      if (!request.tensors.contains(name) || !IsFloat(values[o])) continue;
      Look(ValuesOf(values[o]), values[o].GetTensorTypeAndShapeInfo().GetShape(), statistics[name]);
    }
    // Inputs of the graph cannot be outputs as well.
    for (std::size_t i = 0; i < session.inputs().size(); ++i) {
      const std::string& name = session.input_names()[i];
      const Tensor& input = session.inputs()[i];
      if (!request.tensors.contains(name) || input.dtype() != DType::kFloat32) continue;
      Look(input.as<float>(), input.shape(), statistics[name]);
    }
    done += count;
    context.progress.Update(done);
  }
  return {};
}

Result<> FinishStatistics(const std::string& name, StatisticsMap& statistics) {
  for (auto& [tensor, one] : statistics) {
    if (one.histogram.non_finite() > 0) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: the tensor \"{}\" has {} values that are NaN or infinite in "
                              "calibration; correct the model or its normalization, or leave the "
                              "node out with nodes_to_exclude",
                              name, tensor, one.histogram.non_finite()));
    }
    for (double& mean : one.channel_means) mean /= static_cast<double>(one.samples);
  }
  return {};
}

}  // namespace

Result<StatisticsMap> RunCalibration(const onnx::ModelProto& model, const std::string& name,
                                     const CalibrationRequest& request, OptimizeContext& context) {
  KENNING_RETURN_IF_ERROR(CheckView(context.calibration));
  return ort::Guard(name, [&]() -> Result<StatisticsMap> {
    StatisticsMap statistics;
    KENNING_ASSIGN_OR_RETURN(
        const std::string bytes,
        onnx_graph::SerializeWithOutputs(model, {request.tensors.begin(), request.tensors.end()}));
    FloatSession session(bytes, name);
    context.progress.Begin("calibrate", std::min(context.calibration->size(), request.max_samples),
                           "samples");
    const Result<> collected = Collect(session, request, context, statistics);
    context.progress.End();
    KENNING_RETURN_IF_ERROR(collected);
    KENNING_RETURN_IF_ERROR(FinishStatistics(name, statistics));
    return statistics;
  });
}

Result<OutputReference> OutputReference::Make(const onnx::ModelProto& model,
                                              const std::string& name, std::size_t samples,
                                              OptimizeContext& context) {
  KENNING_RETURN_IF_ERROR(CheckView(context.calibration));
  return ort::Guard(name, [&]() -> Result<OutputReference> {
    OutputReference reference;
    FloatSession session(model.SerializeAsString(), name);
    std::size_t kept = 0;
    for (const std::size_t index : Spread(context.calibration->size(), samples)) {
      if (kept >= kMostReferenceValues) break;
      const std::size_t one[] = {index};
      KENNING_ASSIGN_OR_RETURN(const auto values, session.Run(*context.calibration, one));
      if (!IsFloat(values[0])) break;
      const std::span<const float> output = ValuesOf(values[0]);
      reference.indices_.push_back(index);
      reference.outputs_.emplace_back(output.begin(), output.end());
      kept += output.size();
    }
    return reference;
  });
}

Result<double> OutputReference::SignalToNoise(const std::string& model_bytes,
                                              const std::string& name,
                                              OptimizeContext& context) const {
  return ort::Guard(name, [&]() -> Result<double> {
    FloatSession session(model_bytes, name);
    double signal = 0;
    double noise = 0;
    for (std::size_t k = 0; k < indices_.size(); ++k) {
      if (context.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
      const std::size_t one[] = {indices_[k]};
      KENNING_ASSIGN_OR_RETURN(const auto values, session.Run(*context.calibration, one));
      if (!IsFloat(values[0])) break;
      const std::span<const float> output = ValuesOf(values[0]);
      for (std::size_t i = 0; i < std::min(output.size(), outputs_[k].size()); ++i) {
        const auto exact = static_cast<double>(outputs_[k][i]);
        const double difference = exact - static_cast<double>(output[i]);
        signal += exact * exact;
        noise += difference * difference;
      }
    }
    return 10 * std::log10(std::max(signal, 1e-30) / std::max(noise, 1e-30));
  });
}

}  // namespace kenning::quantizer
