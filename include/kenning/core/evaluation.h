// SPDX-License-Identifier: Apache-2.0
/// \file
/// Evaluator: predictions and truth to metrics. Pure: no timing, no files.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/sample.h"

namespace kenning {

/// Result of a classification run. `confusion[truth][predicted]` counts samples.
struct ClassificationEvaluation {
  std::vector<std::string> class_names;
  std::vector<std::vector<std::uint64_t>> confusion;
  std::uint64_t total = 0;
  std::uint64_t top5_correct = 0;
  std::uint64_t non_finite_samples = 0;  ///< Samples with NaN/inf outputs; they count as wrong.
  /// Per sample, in order of evaluation: id, truth, predicted class (-1 where none).
  std::vector<SampleId> ids;
  std::vector<std::int32_t> truth;
  std::vector<std::int32_t> predicted;
};

/// Collects predictions of one run. Not thread-safe.
class Evaluator {
 public:
  virtual ~Evaluator() = default;
  virtual Result<> Add(const Prediction& prediction, const GroundTruth& truth) = 0;
  virtual ClassificationEvaluation Finish() = 0;
};

}  // namespace kenning
