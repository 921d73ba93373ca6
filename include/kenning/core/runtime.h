// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime -> Session: load a model once, invoke it many times. Knows nothing of datasets,
/// quantisation or bytes on a wire.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/artifact.h"
#include "kenning/core/tensor.h"

namespace kenning {

/// Time spent in one operator, from the engine's own profiler.
struct OperatorProfile {
  std::string name;
  std::string op_type;
  std::int64_t total_ns = 0;
  std::uint64_t calls = 0;
  std::string dtype;   ///< Of the computation ("int8", "float32"); empty where unknown.
  std::string kernel;  ///< What ran it: "XNNPACK", "CPUExecutionProvider", …; empty where unknown.
};

/// A tensor inside a model.
struct NamedTensor {
  std::string name;
  Tensor value;
  std::optional<QuantParams> quant;
};

/// A loaded model. One thread at a time per session; sessions are independent of each other.
class Session {
 public:
  virtual ~Session() = default;
  /// Truthful names, types and shapes as the engine sees them.
  virtual const ModelSpec& spec() const = 0;
  /// Output shapes for given input shapes (dynamic dimensions resolved). May run the model once.
  virtual Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) = 0;
  /// Runs the model: reads `inputs`, writes `outputs` in the order of the spec. Dtypes, shapes and
  /// sizes are checked. This call alone is what an inference latency means: the caller's clock is
  /// read right before and right after it; no conversion and no allocation by kenning lies within.
  /// \return kInvalidArgument for a wrong tensor, kEngineFailure.
  virtual Result<> Invoke(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs) = 0;
  /// Per-operator times of all invokes so far; empty unless profiling was asked for.
  virtual Result<std::vector<OperatorProfile>> Profile() = 0;
  /// Runs the model once and gives the tensors inside it, in order of computation, as far as the
  /// engine shows them. Slow and large; for comparing models. \return kUnsupported where the engine
  /// shows none.
  virtual Result<std::vector<NamedTensor>> Intermediates(std::span<const TensorView> inputs) {
    static_cast<void>(inputs);
    return Fail(ErrorCode::kUnsupported, "this engine does not show tensors inside a model");
  }
};

struct EngineVersion {
  std::string name;     ///< "onnxruntime"
  std::string version;  ///< "1.31.1"
};

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual EngineVersion engine() const = 0;
  /// Loads `path` of format `format`. \return kNotFound, kInvalidModel, kUnsupported.
  virtual Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                                const std::string& format) = 0;
  /// Where the scenario wants the model to be (Kenning's save_model_path); empty: use the artifact.
  virtual std::filesystem::path model_path() const = 0;
};

}  // namespace kenning
