// SPDX-License-Identifier: Apache-2.0
/// \file
/// A compiled model loaded in TVM's virtual machine.
#pragma once

#include <tvm/ffi/container/tensor.h>
#include <tvm/ffi/extra/module.h>
#include <tvm/ffi/function.h>

#include <map>

#include "kenning/core/runtime.h"
#include "tvm_artifact.h"
#include "tvm_runtime.h"

namespace kenning::tvm_engine {

/// Memory of the caller is read in place where it is aligned as TVM wants (64 bytes), and copied
/// otherwise. Outputs are copied out of the memory in which the machine makes them.
class TvmSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                               const SessionSettings& settings);
  ~TvmSession() override;

  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override;

 private:
  /// An input as TVM sees it.
  struct Binding {
    const void* data = nullptr;  ///< The caller's memory; null before the first call.
    Tensor copy;                 ///< Its stand-in where it is not aligned.
    tvm::ffi::Tensor tensor;
  };

  TvmSession(std::filesystem::path path, ModelSpec spec, const SessionSettings& settings);
  Result<> Open(const TvmArtifact& artifact);
  void StartProfiling();
  Result<> CheckTensors(std::span<const TensorView> inputs,
                        std::span<const MutableTensorView> outputs) const;
  Result<> Bind(std::size_t index, const TensorView& input);
  Result<> CopyOut(const tvm::ffi::Any& returned, std::span<const MutableTensorView> outputs) const;

  std::filesystem::path path_;
  ModelSpec spec_;
  int threads_;
  bool profiling_;
  tvm::ffi::Optional<tvm::ffi::Module> library_;
  tvm::ffi::Optional<tvm::ffi::Module> machine_;
  tvm::ffi::Function main_;
  std::vector<Binding> bindings_;
  std::vector<tvm::ffi::AnyView> arguments_;
  std::map<std::string, OperatorProfile> profile_;
  std::int64_t call_started_ns_ = 0;
};

}  // namespace kenning::tvm_engine
