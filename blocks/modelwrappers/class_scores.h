// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a model's output to class scores in the dataset's order of classes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kenning/core/sample.h"

namespace kenning {

/// Immutable; thread-safe.
class ClassScoreReader {
 public:
  ClassScoreReader() = default;
  /// Model classes are matched with the dataset's by name where both are named, by position where
  /// not. `output` is the model's, with its batch dimension. Empty `dataset_classes`: as the model
  /// has them. \return kInvalidScenario where the classes cannot be matched.
  static Result<ClassScoreReader> Make(const TensorSpec& output,
                                       const std::vector<std::string>& model_classes,
                                       const std::vector<std::string>& dataset_classes,
                                       bool softmax);

  /// Appends one prediction for each of `batch.ids`.
  Result<> Read(const TensorView& output, const Batch& batch, std::vector<Prediction>& out) const;

 private:
  std::size_t model_count_ = 0;           ///< 0: unknown until the first output.
  std::vector<std::size_t> model_index_;  ///< For each dataset class; empty: by position.
  bool softmax_ = false;
};

/// Turns logits into probabilities, in place; stable for large values.
void Softmax(std::span<float> scores);

}  // namespace kenning
