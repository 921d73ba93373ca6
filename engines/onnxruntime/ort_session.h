// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model loaded in ONNX Runtime.
#pragma once

#include "kenning/core/runtime.h"
#include "ort_api.h"
#include "ort_runtime.h"

namespace kenning::ort {

/// Tensors of the caller are wrapped, not copied; the wrapping is kept while the caller passes the
/// same memory, so that a steady loop makes no allocation and no conversion inside its clock.
class OrtSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                               const SessionSettings& settings);
  ~OrtSession() override;

  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override;
  /// Runs the graph as optimised by the settings, with every tensor that depends on the inputs
  /// kept.
  Result<std::vector<NamedTensor>> Intermediates(std::span<const TensorView> inputs) override;

 private:
  /// A caller's memory as ONNX Runtime sees it.
  struct Binding {
    const void* data = nullptr;
    std::size_t size_bytes = 0;
    Shape shape;
    Ort::Value value{nullptr};
  };

  OrtSession(std::filesystem::path path, SessionSettings settings, Ort::Session session,
             std::filesystem::path profile_folder);
  Result<> ReadSpec();
  /// Checks the tensor against `want` and wraps it, unless it is the one already wrapped.
  Result<> Bind(Binding& binding, const TensorSpec& want, void* data, std::size_t size_bytes,
                DType dtype, std::span<const std::int64_t> shape) const;
  Result<> Run();

  std::filesystem::path path_;
  SessionSettings settings_;
  Ort::Session session_;
  std::filesystem::path profile_folder_;
  Ort::RunOptions run_options_;
  ModelSpec spec_;
  std::vector<const char*> input_names_;
  std::vector<const char*> output_names_;
  std::vector<Binding> inputs_;
  std::vector<Binding> outputs_;
  std::vector<const OrtValue*> raw_inputs_;
  std::vector<OrtValue*> raw_outputs_;
};

}  // namespace kenning::ort
