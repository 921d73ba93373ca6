// SPDX-License-Identifier: Apache-2.0
/// \file
/// Samples, batches, truth and predictions: the values that flow through a run.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "kenning/core/tensor.h"

namespace kenning {

/// Identifies a sample within its dataset, independent of splits and order: 0 .. Dataset::size()-1.
using SampleId = std::uint32_t;

/// Samples of one invoke. A static-batch model gets its last batch padded with repeats of the last
/// sample; only the first `valid_count` entries count.
struct Batch {
  std::vector<SampleId> ids;   ///< valid_count entries.
  std::vector<Tensor> inputs;  ///< One per dataset input, leading dimension = batch size.
  std::size_t valid_count = 0;
};

/// Ground truth of a classification sample: 0 <= label < number of classes.
struct ClassTruth {
  std::int32_t label = 0;
};
using GroundTruth = std::variant<std::monostate, ClassTruth>;

/// Scores over classes (probabilities or logits; only their order matters).
struct ClassScores {
  std::vector<float> scores;
};
struct Prediction {
  SampleId id = 0;
  std::variant<std::monostate, ClassScores> value;
  std::uint32_t non_finite = 0;  ///< NaN or infinite values among this sample's outputs.
};

}  // namespace kenning
