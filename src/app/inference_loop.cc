// SPDX-License-Identifier: Apache-2.0
#include "app/inference_loop.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "app/calibration.h"
#include "kenning/base/clock.h"
#include "kenning/core/quant_cast.h"

namespace kenning {
namespace {

/// Tensors around the engine for one batch size. `engine_inputs` is unused where the wrapper's own
/// tensors can be passed on.
struct Buffers {
  std::size_t batch_size = 0;
  std::vector<Tensor> wrapper_inputs;
  std::vector<Tensor> engine_inputs;
  std::vector<Tensor> engine_outputs;
  std::vector<Tensor> float_outputs;
  std::vector<TensorView> input_views;
  std::vector<MutableTensorView> output_views;
  std::vector<TensorView> result_views;
};

class Loop {
 public:
  Loop(const LoopParts& parts, MeasurementLog& log) : parts_(parts), log_(log) {}

  Result<> Run(const LoopOptions& options, ProgressSink& progress, const CancelToken& cancel) {
    KENNING_RETURN_IF_ERROR(ChooseBatchSize());
    log_.observations.reserve(
        (options.ids.size() / batch_size_ + 1 + static_cast<std::size_t>(options.warm_up)) *
        kStepCount);
    for (int i = 0; i < options.warm_up && !cancel.cancelled(); ++i) {
      const auto first = options.ids.subspan(0, std::min(batch_size_, options.ids.size()));
      KENNING_RETURN_IF_ERROR(RunBatch(first, Phase::kWarmUp), "warm-up");
    }
    progress.Begin("test", options.ids.size(), "samples");
    Result<> result = RunAll(options.ids, progress, cancel);
    progress.End();
    return result;
  }

 private:
  Result<> RunAll(std::span<const SampleId> ids, ProgressSink& progress,
                  const CancelToken& cancel) {
    for (std::size_t done = 0; done < ids.size();) {
      if (cancel.cancelled()) return {};
      const std::size_t count = std::min(batch_size_, ids.size() - done);
      KENNING_RETURN_IF_ERROR(RunBatch(ids.subspan(done, count), Phase::kMeasured));
      done += count;
      progress.Update(done);
    }
    log_.complete = true;
    return {};
  }

  Result<> ChooseBatchSize() {
    batch_size_ = parts_.dataset.batch_size();
    for (const TensorSpec& input : parts_.session.spec().inputs) {
      if (input.shape.empty() || input.shape[0] == kAnyDim) continue;
      static_batch_ = true;
      if (input.shape[0] != static_cast<std::int64_t>(batch_size_)) {
        return Fail(
            ErrorCode::kInvalidScenario,
            fmt::format("the model's input \"{}\" {} has a fixed batch of {}, the dataset "
                        "gives {}: set dataset.parameters.inference_batch_size to {}",
                        input.name, ToString(input), input.shape[0], batch_size_, input.shape[0]));
      }
    }
    return {};
  }

  /// The engine's and the artifact's word on one tensor, joined.
  static std::optional<QuantParams> QuantOf(const std::vector<TensorSpec>& artifact,
                                            const TensorSpec& session_spec) {
    for (const TensorSpec& spec : artifact) {
      if (spec.name == session_spec.name && spec.quant) return spec.quant;
    }
    return session_spec.quant;
  }

  /// Allocates for a batch of this many rows, from the first preprocessed batch.
  Result<> MakeBuffers(std::size_t rows) {
    const ModelSpec& spec = parts_.session.spec();
    if (buffers_.wrapper_inputs.size() != spec.inputs.size()) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("the model has {} inputs, the model wrapper gives {}",
                              spec.inputs.size(), buffers_.wrapper_inputs.size()));
    }
    std::vector<Shape> shapes;
    for (const Tensor& input : buffers_.wrapper_inputs) shapes.push_back(input.shape());
    buffers_.engine_inputs.clear();
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
      Tensor cast;
      if (spec.inputs[i].dtype != buffers_.wrapper_inputs[i].dtype()) {
        KENNING_ASSIGN_OR_RETURN(cast, Tensor::Create(spec.inputs[i].dtype, shapes[i]));
      }
      buffers_.engine_inputs.push_back(std::move(cast));
    }
    KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> outputs,
                             parts_.session.ResolveOutputs(shapes), "first inference");
    KENNING_RETURN_IF_ERROR(MakeOutputs(outputs));
    buffers_.batch_size = rows;
    return {};
  }

  Result<> MakeOutputs(const std::vector<TensorSpec>& outputs) {
    buffers_.engine_outputs.clear();
    buffers_.float_outputs.clear();
    for (const TensorSpec& output : outputs) {
      KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(output.dtype, output.shape));
      Tensor as_float;
      if (QuantOf(parts_.artifact_spec.engine_outputs(), output)) {
        KENNING_ASSIGN_OR_RETURN(as_float, Tensor::Create(DType::kFloat32, output.shape));
      }
      buffers_.engine_outputs.push_back(std::move(tensor));
      buffers_.float_outputs.push_back(std::move(as_float));
    }
    buffers_.output_views.clear();
    buffers_.result_views.clear();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      buffers_.output_views.push_back(buffers_.engine_outputs[i].mutable_view());
      const Tensor& result = buffers_.float_outputs[i].data() == nullptr
                                 ? buffers_.engine_outputs[i]
                                 : buffers_.float_outputs[i];
      buffers_.result_views.push_back(result.view());
    }
    return {};
  }

  Result<> CastInputs() {
    const ModelSpec& spec = parts_.session.spec();
    buffers_.input_views.resize(spec.inputs.size());
    for (std::size_t i = 0; i < spec.inputs.size(); ++i) {
      Tensor& cast = buffers_.engine_inputs[i];
      if (cast.data() == nullptr) {
        buffers_.input_views[i] = buffers_.wrapper_inputs[i].view();
        continue;
      }
      KENNING_RETURN_IF_ERROR(
          CastTensor(buffers_.wrapper_inputs[i].view(), {}, cast.mutable_view(),
                     QuantOf(parts_.artifact_spec.engine_inputs(), spec.inputs[i])));
      buffers_.input_views[i] = cast.view();
    }
    return {};
  }

  Result<> CastOutputs() {
    for (std::size_t i = 0; i < buffers_.engine_outputs.size(); ++i) {
      Tensor& as_float = buffers_.float_outputs[i];
      if (as_float.data() == nullptr) continue;
      KENNING_RETURN_IF_ERROR(CastTensor(
          buffers_.engine_outputs[i].view(),
          QuantOf(parts_.artifact_spec.engine_outputs(), parts_.session.spec().outputs[i]),
          as_float.mutable_view(), {}));
    }
    return {};
  }

  Result<> RunBatch(std::span<const SampleId> ids, Phase phase) {
    const std::size_t rows = static_batch_ ? batch_size_ : ids.size();
    std::int64_t times[kStepCount + 1];
    times[0] = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(LoadBatch(parts_.dataset, ids, rows, batch_));
    times[1] = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(parts_.wrapper.Preprocess(batch_, buffers_.wrapper_inputs));
    if (buffers_.batch_size != rows) {
      // The first batch of its size: make room, then start over so that no span contains it.
      KENNING_RETURN_IF_ERROR(MakeBuffers(rows));
      return RunBatch(ids, phase);
    }
    KENNING_RETURN_IF_ERROR(CastInputs());
    times[2] = MonotonicNowNs();
    const Result<> invoked = parts_.session.Invoke(buffers_.input_views, buffers_.output_views);
    times[3] = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(invoked, fmt::format("inference of sample {}", ids[0]));
    predictions_.clear();
    KENNING_RETURN_IF_ERROR(CastOutputs());
    KENNING_RETURN_IF_ERROR(
        parts_.wrapper.Postprocess(buffers_.result_views, batch_, predictions_));
    times[4] = MonotonicNowNs();
    for (int step = 0; step < kStepCount; ++step) {
      log_.observations.push_back({times[step], times[step + 1], ids[0],
                                   static_cast<std::uint16_t>(ids.size()), static_cast<Step>(step),
                                   phase});
    }
    return phase == Phase::kMeasured ? Evaluate() : Result<>{};
  }

  Result<> Evaluate() {
    if (parts_.evaluator == nullptr) return {};
    for (const Prediction& prediction : predictions_) {
      KENNING_ASSIGN_OR_RETURN(const GroundTruth truth, parts_.dataset.Truth(prediction.id));
      KENNING_RETURN_IF_ERROR(parts_.evaluator->Add(prediction, truth),
                              fmt::format("sample {}", prediction.id));
    }
    return {};
  }

  const LoopParts& parts_;
  MeasurementLog& log_;
  std::size_t batch_size_ = 1;
  bool static_batch_ = false;
  Batch batch_;
  Buffers buffers_;
  std::vector<Prediction> predictions_;
};

}  // namespace

Result<> RunInferenceLoop(const LoopParts& parts, const LoopOptions& options,
                          ProgressSink& progress, const CancelToken& cancel, MeasurementLog& log) {
  return Loop(parts, log).Run(options, progress, cancel);
}

}  // namespace kenning
