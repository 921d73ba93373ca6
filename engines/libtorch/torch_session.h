// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model loaded in LibTorch.
#pragma once

#include <optional>

#include "kenning/core/runtime.h"
#include "op_recorder.h"
#include "torch_api.h"
#include "torch_model.h"
#include "torch_runtime.h"

namespace kenning::libtorch {

/// Tensors of the caller are wrapped, not copied; the wrapping is kept while the caller passes the
/// same memory. LibTorch allocates its results itself: they are copied into the caller's memory.
class TorchSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                               const std::string& format,
                                               const SessionSettings& settings);

  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override;

 private:
  /// A caller's memory as LibTorch sees it.
  struct Binding {
    const void* data = nullptr;
    std::size_t size_bytes = 0;
    Shape shape;
    at::Tensor tensor;
  };

  TorchSession(std::filesystem::path path, TorchModel model, const SessionSettings& settings);
  Result<> Prepare();
  Result<> Bind(Binding& binding, const TensorSpec& want, const TensorView& view) const;
  Result<> Run(std::span<const MutableTensorView> outputs);
  Result<> CopyOut(const at::Tensor& result, const TensorSpec& spec,
                   const MutableTensorView& view) const;

  std::filesystem::path path_;
  torch::jit::Module module_;
  ModelSpec spec_;
  SessionSettings settings_;
  std::vector<Binding> bindings_;
  /// Whether the graph writes into its inputs, which are then copied for each run.
  bool writes_inputs_ = false;
  std::optional<OpRecorder> recorder_;
};

}  // namespace kenning::libtorch
