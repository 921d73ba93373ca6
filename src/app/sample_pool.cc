// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "app/calibration.h"
#include "app/load_local.h"
#include "kenning/core/quant_cast.h"

namespace kenning {
namespace {

/// The engine's and the artifact's word on one tensor, joined.
std::optional<QuantParams> QuantOf(const std::vector<TensorSpec>& artifact,
                                   const TensorSpec& session_spec) {
  for (const TensorSpec& spec : artifact) {
    if (spec.name == session_spec.name && spec.quant) return spec.quant;
  }
  return session_spec.quant;
}

Result<> CheckBatch(const ModelSpec& spec, std::size_t batch_size) {
  for (const TensorSpec& input : spec.inputs) {
    if (input.shape.empty() || input.shape[0] == kAnyDim ||
        input.shape[0] == static_cast<std::int64_t>(batch_size)) {
      continue;
    }
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format(
            "the model's input \"{}\" {} has a fixed batch of {}, the dataset gives {}: set "
            "dataset.parameters.inference_batch_size to {}",
            input.name, ToString(input), input.shape[0], batch_size, input.shape[0]));
  }
  return {};
}

/// The wrapper's tensors as the engine takes them.
Result<std::vector<Tensor>> ForEngine(const SamplePool::Parts& parts,
                                      std::span<const Tensor> prepared) {
  const std::vector<TensorSpec>& inputs = parts.session_spec.inputs;
  if (prepared.size() != inputs.size()) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("the model has {} inputs, the model wrapper gives {}", inputs.size(),
                            prepared.size()));
  }
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype == prepared[i].dtype()) {
      tensors.push_back(prepared[i].Clone());
      continue;
    }
    KENNING_ASSIGN_OR_RETURN(Tensor cast, Tensor::Create(inputs[i].dtype, prepared[i].shape()));
    KENNING_RETURN_IF_ERROR(CastTensor(prepared[i].view(), {}, cast.mutable_view(),
                                       QuantOf(parts.artifact_spec.engine_inputs(), inputs[i])));
    tensors.push_back(std::move(cast));
  }
  return tensors;
}

}  // namespace

Result<SamplePool> SamplePool::Prepare(const Parts& parts, std::span<const SampleId> ids,
                                       std::uint64_t most_bytes, ProgressSink& progress,
                                       const CancelToken& cancel) {
  SamplePool pool;
  const std::size_t batch_size = parts.dataset.batch_size();
  pool.batch_size_ = static_cast<std::uint32_t>(batch_size);
  KENNING_RETURN_IF_ERROR(CheckBatch(parts.session_spec, batch_size));
  if (ids.empty()) return Fail(ErrorCode::kInvalidData, "there are no samples to prepare");
  const std::size_t batches = std::max<std::size_t>(1, ids.size() / batch_size);
  Batch batch;
  std::vector<Tensor> prepared;
  std::uint64_t bytes = 0;
  progress.Begin("prepare samples", batches * batch_size, "samples");
  Result<> result;
  for (std::size_t i = 0; i < batches && !cancel.cancelled(); ++i) {
    const auto some = ids.subspan(i * batch_size, std::min(batch_size, ids.size()));
    result = LoadBatch(parts.dataset, some, batch_size, batch);
    if (result) result = parts.wrapper.Preprocess(batch, prepared);
    if (!result) break;
    Result<std::vector<Tensor>> tensors = ForEngine(parts, prepared);
    if (!tensors) {
      result = Fail(std::move(tensors).error());
      break;
    }
    Item item;
    item.first_sample = some[0];
    item.tensors = *std::move(tensors);
    for (const Tensor& tensor : item.tensors) bytes += tensor.view().size_bytes;
    if (i > 0 && bytes > most_bytes) break;
    for (const Tensor& tensor : item.tensors) item.views.push_back(tensor.view());
    pool.items_.push_back(std::move(item));
    progress.Update((i + 1) * batch_size);
  }
  progress.End();
  KENNING_RETURN_IF_ERROR(result, "preparing samples");
  if (pool.items_.empty()) return Fail(ErrorCode::kCancelled, "stopped while preparing samples");
  return pool;
}

std::vector<Shape> SamplePool::input_shapes() const {
  std::vector<Shape> shapes;
  for (const Tensor& tensor : items_[0].tensors) shapes.push_back(tensor.shape());
  return shapes;
}

Result<OutputRoom> OutputRoom::Make(Session& session, const SamplePool& pool) {
  OutputRoom room;
  KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> outputs,
                           session.ResolveOutputs(pool.input_shapes()), "first inference");
  for (const TensorSpec& output : outputs) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(output.dtype, output.shape));
    room.tensors_.push_back(std::move(tensor));
  }
  for (Tensor& tensor : room.tensors_) room.views_.push_back(tensor.mutable_view());
  return room;
}

}  // namespace kenning
