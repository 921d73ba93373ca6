// SPDX-License-Identifier: Apache-2.0
/// \file
/// A SavedModel loaded in TensorFlow.
#pragma once

#include <map>

#include "kenning/core/runtime.h"
#include "saved_model.h"
#include "tf_c_api.h"

namespace kenning::tensorflow {

/// Settings of a session, from the block's parameters.
struct SessionSettings {
  int num_threads = 0;
  int inter_op_threads = 0;
  bool profiling = false;
};

/// Inputs are the caller's memory, wrapped once and kept while the caller passes the same;
/// TensorFlow allocates the outputs itself, and they are copied.
class TfSession final : public Session {
 public:
  /// `spec` replaces names and layouts of the signature's tensors, in its order; null: as they are.
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& folder,
                                               Signature signature, const ModelSpec* spec,
                                               const SessionSettings& settings);
  ~TfSession() override;

  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override;

 private:
  /// A caller's memory as TensorFlow sees it.
  struct Binding {
    const void* data = nullptr;
    std::size_t size_bytes = 0;
    Shape shape;
    TF_Tensor* value = nullptr;
  };

  TfSession(const TfApi& api, std::filesystem::path path, bool profiling);
  Result<> Open(const Signature& signature, const SessionSettings& settings);
  Result<TF_Output> FindTensor(const SignatureTensor& tensor) const;
  Result<> CheckTensor(const TensorSpec& want, const void* data, std::size_t size_bytes,
                       DType dtype, std::span<const std::int64_t> shape) const;
  Result<> BindInput(std::size_t index, const TensorView& view);
  Result<> Run();
  Result<> CopyOutput(std::size_t index, const MutableTensorView& view) const;
  void FreeOutputs();

  const TfApi& api_;
  std::filesystem::path path_;
  TF_Graph* graph_ = nullptr;
  TF_Session* session_ = nullptr;
  TF_Status* status_ = nullptr;
  TF_Buffer* run_options_ = nullptr;
  ModelSpec spec_;
  std::vector<TF_Output> inputs_;
  std::vector<TF_Output> outputs_;
  std::vector<Binding> bindings_;
  std::vector<TF_Tensor*> input_values_;
  std::vector<TF_Tensor*> output_values_;
  std::map<std::string, OperatorProfile> profile_;
};

}  // namespace kenning::tensorflow
