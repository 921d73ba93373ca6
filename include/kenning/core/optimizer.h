// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizer: a model in, a new model out. The input is never changed.
#pragma once

#include <vector>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/core/artifact.h"
#include "kenning/core/tensor.h"

namespace kenning {

/// Calibration samples, already preprocessed for the model: the only way in which an optimizer sees
/// data. Loaded one by one; memory does not grow with their number.
class CalibrationView {
 public:
  virtual ~CalibrationView() = default;
  /// May be 0: an optimizer that needs samples then returns the error of Get(0).
  virtual std::size_t size() const = 0;
  /// Sample `index` as engine inputs with a leading dimension of 1. Tensors in `out` are reused.
  /// \return kFailedPrecondition with the remedy where size() is 0, or an error of the sample.
  virtual Result<> Get(std::size_t index, std::vector<Tensor>& out) = 0;
};

struct OptimizeContext {
  CalibrationView* calibration = nullptr;  ///< null where the scenario has no dataset.
  ProgressSink& progress;
  const CancelToken& cancel;
  /// Which of the block's formats the next block wants; empty: what suits the optimizer.
  std::string output_format = {};
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// Writes the new model (atomically) to the block's `compiled_model_path` and returns it with one
  /// more provenance step. \return kInvalidModel, kUnsupported, kFailedPrecondition (no calibration
  /// data), kCancelled.
  virtual Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) = 0;
  /// Where the result goes.
  virtual std::filesystem::path output_path() const = 0;
  /// The format of the result, for a given input format.
  virtual std::string output_format(const std::string& input_format) const = 0;
};

}  // namespace kenning
