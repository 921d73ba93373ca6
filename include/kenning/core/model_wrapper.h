// SPDX-License-Identifier: Apache-2.0
/// \file
/// ModelWrapper: adapts a dataset's samples to a model's inputs, and its outputs to predictions.
/// It knows nothing of engines, bytes on a wire, quantisation or timing.
#pragma once

#include <span>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/artifact.h"
#include "kenning/core/sample.h"

namespace kenning {

/// Stateless after construction; Preprocess and Postprocess may run on any thread.
class ModelWrapper {
 public:
  virtual ~ModelWrapper() = default;
  /// The trained model as given, with its IO specification resolved.
  virtual const ModelArtifact& model() const = 0;
  /// Framework and version that trained it, or "unknown".
  virtual std::string framework() const = 0;
  /// Dataset batch -> float tensors for the engine, one per engine input, leading dimension =
  /// batch. `out` tensors are reused where their shapes fit: no allocation in a steady loop.
  virtual Result<> Preprocess(const Batch& batch, std::vector<Tensor>& out) const = 0;
  /// Engine outputs (dequantised) -> `valid_count` predictions, appended to `out`.
  virtual Result<> Postprocess(std::span<const TensorView> outputs, const Batch& batch,
                               std::vector<Prediction>& out) const = 0;
};

}  // namespace kenning
