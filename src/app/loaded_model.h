// SPDX-License-Identifier: Apache-2.0
/// \file
/// One artifact in one runtime, outside of a scenario: for comparing and explaining models.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/app.h"
#include "kenning/core/runtime.h"

namespace kenning {

/// What to load, and in what.
struct LoadRequest {
  std::string uri;                            ///< Path or URI of the model.
  std::string format;                         ///< Empty: by the path.
  std::string runtime;                        ///< A class; empty: the first here for the format.
  std::map<std::string, std::string> params;  ///< Of the runtime, as text; checked.
  int num_threads = 0;                        ///< 0: as the runtime's default.
  bool profiling = false;                     ///< Record times of operators, where it can.
};

struct LoadedModel {
  ModelArtifact artifact;  ///< `spec` is empty where no IO specification lies beside the model.
  const BlockInfo* runtime_info = nullptr;
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<Session> session;
  bool profiling = false;    ///< Whether the session records times.
  bool threads_set = false;  ///< Whether the runtime has a parameter for `num_threads`.
};

/// \return kNotFound, kUnavailable (no runtime for the format here), kInvalidScenario (a parameter
/// of the runtime), and what loading gives.
Result<LoadedModel> LoadModelInRuntime(const LoadRequest& request, AppContext& context);

/// The name of the runtime's parameter that turns its profiler on; empty where it has none.
std::string ProfilingParameter(const BlockInfo& runtime);

/// A dense float tensor with a batch dimension of 1.
struct FloatTensor {
  Shape shape;
  std::vector<float> values;
};

/// What the model itself and the file beside it say of the engine's tensors, joined: types and
/// shapes of the session, quantisation and layout of either.
std::vector<TensorSpec> JoinedInputs(const LoadedModel& model);
std::vector<TensorSpec> JoinedOutputs(const LoadedModel& model);

/// Runs a loaded model on float samples, whatever its types, layout and fixed batch. Borrows the
/// model.
class FloatRunner {
 public:
  explicit FloatRunner(const LoadedModel& model);

  const std::vector<TensorSpec>& inputs() const { return inputs_; }
  const std::vector<TensorSpec>& outputs() const { return outputs_; }
  /// Samples of one invoke.
  std::size_t batch() const { return batch_; }

  /// `samples`: one tensor an input, in the model's order; `layouts`: what each of them is
  /// ("NCHW", "NHWC", empty). \return one tensor an output, dequantised; kInvalidArgument where
  /// a sample does not fit, kUnsupported for types that are neither integers nor floats.
  Result<std::vector<FloatTensor>> Run(std::span<const FloatTensor> samples,
                                       std::span<const std::string> layouts);

  /// Fills the inputs, as Run does, and makes room for the outputs.
  Result<> Prepare(std::span<const FloatTensor> samples, std::span<const std::string> layouts);
  /// Runs on what Prepare filled in, and nothing else: for timing.
  Result<> Invoke() { return model_.session->Invoke(in_, out_); }

  /// Runs once more and gives the tensors inside, dequantised; those that cannot be shown as float
  /// are left out. \return kUnsupported where the engine shows none.
  struct Inner {
    std::string name;
    FloatTensor value;
  };
  Result<std::vector<Inner>> Intermediates(std::span<const FloatTensor> samples,
                                           std::span<const std::string> layouts);

 private:
  Result<> Fill(std::span<const FloatTensor> samples, std::span<const std::string> layouts);
  Result<> FillInput(std::size_t index, const FloatTensor& sample, const std::string& layout);
  Result<> MakeOutputs();

  const LoadedModel& model_;
  std::vector<TensorSpec> inputs_;
  std::vector<TensorSpec> outputs_;
  std::vector<Tensor> input_tensors_;
  std::vector<Tensor> output_tensors_;
  std::vector<TensorView> in_;
  std::vector<MutableTensorView> out_;
  std::size_t batch_ = 1;  ///< A fixed batch is filled with copies of the sample.
};

/// Bytes of any numeric type but float16 as floats; quantised ones by `quant`.
Result<std::vector<float>> ToFloats(const TensorView& tensor,
                                    const std::optional<QuantParams>& quant);
/// The inverse. Sizes must match.
Result<> FromFloats(std::span<const float> values, const std::optional<QuantParams>& quant,
                    const MutableTensorView& tensor);

}  // namespace kenning
