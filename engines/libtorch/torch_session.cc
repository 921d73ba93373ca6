// SPDX-License-Identifier: Apache-2.0
#include "torch_session.h"

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include "kenning/base/log.h"

namespace kenning::libtorch {
namespace {

/// Weights become constants, batch normalisation goes into convolutions, and convolutions take the
/// layout that oneDNN likes.
torch::jit::Module Optimised(const torch::jit::Module& module) {
  // What the profiling executor would find out, freezing has; without it runs are alike from the
  // first.
  torch::jit::getProfilingMode() = false;
  torch::jit::Module frozen = torch::jit::freeze(module);
  return torch::jit::optimize_for_inference(frozen);
}

bool WritesInputs(const torch::jit::Module& module) {
  const auto graph = module.get_method("forward").graph()->copy();
  torch::jit::Inline(*graph);
  const torch::jit::AliasDb aliases(graph);
  for (std::size_t i = 1; i < graph->inputs().size(); ++i) {
    if (aliases.hasWriters(graph->inputs()[i])) return true;
  }
  return false;
}

}  // namespace

TorchSession::TorchSession(std::filesystem::path path, TorchModel model,
                           const SessionSettings& settings)
    : path_(std::move(path)),
      module_(std::move(model.module)),
      spec_(std::move(model.spec)),
      settings_(settings),
      bindings_(spec_.engine_inputs().size()) {
  if (settings_.profiling) recorder_.emplace();
}

Result<std::unique_ptr<Session>> TorchSession::Load(const std::filesystem::path& path,
                                                    const std::string& format,
                                                    const SessionSettings& settings) {
  UseThreads(settings.num_threads);
  KENNING_ASSIGN_OR_RETURN(TorchModel model, ReadTorchModel(path, format));
  std::unique_ptr<TorchSession> session(new TorchSession(path, std::move(model), settings));
  KENNING_RETURN_IF_ERROR(session->Prepare());
  return session;
}

Result<> TorchSession::Prepare() {
  return Guard(path_, ErrorCode::kInvalidModel, [&]() -> Result<> {
    if (!settings_.skip_jit) {
      try {
        module_ = Optimised(module_);
      } catch (const std::exception& error) {
        LogWarning("{}: runs as stored, as it cannot be optimised: {}", path_.string(),
                   ShortMessage(error.what()));
      }
    }
    writes_inputs_ = WritesInputs(module_);
    return {};
  });
}

Result<> TorchSession::Bind(Binding& binding, const TensorSpec& want,
                            const TensorView& view) const {
  if (view.data == binding.data && view.size_bytes == binding.size_bytes &&
      view.dtype == want.dtype && std::ranges::equal(view.shape, binding.shape)) {
    return {};
  }
  Shape given(view.shape.begin(), view.shape.end());
  const auto elements = ElementCount(given);
  const auto type = ToTorchType(view.dtype);
  if (view.dtype != want.dtype || !ShapesCompatible(given, want.shape) || !elements || !type ||
      *elements * DTypeSize(view.dtype) != view.size_bytes || view.data == nullptr) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", path_.string(), want.name,
                    ToString(want), DTypeName(view.dtype), ShapeToString(given), view.size_bytes));
  }
  const c10::InferenceMode inference;
  // LibTorch has no read-only tensors; graphs that write into their inputs get copies.
  binding.tensor = at::from_blob(const_cast<std::byte*>(view.data), given, *type);
  binding.data = view.data;
  binding.size_bytes = view.size_bytes;
  binding.shape = std::move(given);
  return {};
}

Result<> TorchSession::CopyOut(const at::Tensor& result, const TensorSpec& spec,
                               const MutableTensorView& view) const {
  const auto type = ToTorchType(view.dtype);
  if (view.dtype != spec.dtype || view.data == nullptr ||
      !std::ranges::equal(view.shape, result.sizes()) ||
      static_cast<std::size_t>(result.numel()) * DTypeSize(view.dtype) != view.size_bytes) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: output \"{}\" is {}{}, not {}{} in {} bytes", path_.string(), spec.name,
                    DTypeName(spec.dtype), ShapeToString(result.sizes().vec()),
                    DTypeName(view.dtype),
                    ShapeToString(Shape(view.shape.begin(), view.shape.end())), view.size_bytes));
  }
  if (result.scalar_type() != *type) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("{}: output \"{}\" came as {}", path_.string(), spec.name,
                            c10::toString(result.scalar_type())));
  }
  if (result.is_contiguous()) {
    std::memcpy(view.data, result.const_data_ptr(), view.size_bytes);
  } else {
    at::from_blob(view.data, result.sizes(), *type).copy_(result);
  }
  return {};
}

Result<> TorchSession::Run(std::span<const MutableTensorView> outputs) {
  const c10::InferenceMode inference;
  std::vector<c10::IValue> stack;
  stack.reserve(bindings_.size() + 1);
  for (const Binding& binding : bindings_) {
    stack.emplace_back(writes_inputs_ ? binding.tensor.clone() : binding.tensor);
  }
  const c10::IValue result = module_.forward(std::move(stack));
  const std::vector<TensorSpec>& specs = spec_.engine_outputs();
  if (result.isTensor() && outputs.size() == 1 && !result.toTensor().is_mkldnn()) {
    return CopyOut(result.toTensor(), specs[0], outputs[0]);
  }
  std::vector<at::Tensor> results;
  KENNING_RETURN_IF_ERROR(FlattenResult(result, results));
  if (results.size() != outputs.size()) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("{}: gave {} results this time", path_.string(), results.size()));
  }
  for (std::size_t i = 0; i < results.size(); ++i) {
    KENNING_RETURN_IF_ERROR(CopyOut(results[i], specs[i], outputs[i]));
  }
  return {};
}

Result<> TorchSession::Invoke(std::span<const TensorView> inputs,
                              std::span<const MutableTensorView> outputs) {
  const std::vector<TensorSpec>& specs = spec_.engine_inputs();
  if (inputs.size() != specs.size() || outputs.size() != spec_.engine_outputs().size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs and gives {} outputs, called with {} and {}",
                            path_.string(), specs.size(), spec_.engine_outputs().size(),
                            inputs.size(), outputs.size()));
  }
  UseThreads(settings_.num_threads);
  return Guard(path_, ErrorCode::kEngineFailure, [&]() -> Result<> {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      KENNING_RETURN_IF_ERROR(Bind(bindings_[i], specs[i], inputs[i]));
    }
    if (!recorder_) return Run(outputs);
    const OpRecorder::Scope scope(*recorder_);
    return Run(outputs);
  });
}

Result<std::vector<TensorSpec>> TorchSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  const std::vector<TensorSpec>& inputs = spec_.engine_inputs();
  std::vector<TensorSpec> resolved = spec_.engine_outputs();
  if (input_shapes.size() != inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (ShapesCompatible(input_shapes[i], inputs[i].shape) && ElementCount(input_shapes[i])) {
      continue;
    }
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: input \"{}\" must be {}, not {}", path_.string(), inputs[i].name,
                            ToString(inputs[i]), ShapeToString(input_shapes[i])));
  }
  // Run on zeros; this also brings the interpreter's plan for these shapes into being.
  UseThreads(settings_.num_threads);
  return Guard(path_, ErrorCode::kEngineFailure, [&]() -> Result<std::vector<TensorSpec>> {
    constexpr int kWarmUpRuns = 3;
    std::vector<at::Tensor> results;
    for (int run = 0; run < kWarmUpRuns; ++run) {
      KENNING_ASSIGN_OR_RETURN(
          results, RunOnZeros(module_, inputs, {input_shapes.begin(), input_shapes.end()}));
    }
    for (std::size_t i = 0; i < results.size() && i < resolved.size(); ++i) {
      resolved[i].shape = results[i].sizes().vec();
    }
    return resolved;
  });
}

Result<std::vector<OperatorProfile>> TorchSession::Profile() {
  if (!recorder_) return std::vector<OperatorProfile>{};
  return recorder_->Profiles();
}

}  // namespace kenning::libtorch
