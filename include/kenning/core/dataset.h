// SPDX-License-Identifier: Apache-2.0
/// \file
/// Dataset: ids, samples, truth. It knows nothing of metrics, quantisation, models or timing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/core/sample.h"

namespace kenning {

/// What a dataset says of itself; complete after Prepare.
struct DatasetInfo {
  std::string name;
  std::string task;                      ///< "classification"; later "object_detection", …
  std::vector<TensorSpec> sample_specs;  ///< One sample, without the batch dimension.
  std::vector<std::string> class_names;
  std::vector<float> mean;  ///< Published per-channel statistics, of inputs scaled to 0..1.
  std::vector<float> stddev;
  bool has_truth = true;  ///< false: no evaluation (randomised data).
};

/// Disjoint parts of the ids.
struct DatasetSplit {
  std::vector<SampleId> train;
  std::vector<SampleId> test;
  std::vector<SampleId> validation;
};

/// Thread-safe for concurrent Load/Truth after Prepare.
class Dataset {
 public:
  virtual ~Dataset() = default;

  /// Finds the data, downloading it where allowed, and reads indices (not samples).
  /// \return kNotFound with the remedy, kInvalidData naming the file.
  virtual Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) = 0;
  virtual const DatasetInfo& info() const = 0;
  virtual std::size_t size() const = 0;
  /// Decodes one sample; one tensor per sample spec, without a batch dimension.
  virtual Result<std::vector<Tensor>> Load(SampleId id) const = 0;
  virtual Result<GroundTruth> Truth(SampleId id) const = 0;
  /// The split that evaluation and calibration use; the dataset's official one where it has one.
  virtual Result<DatasetSplit> Split() const = 0;
  /// Ids for calibration: from the training part only (or, with an external calibration folder, a
  /// list of samples beyond `size()`-owned ids that Load also accepts).
  virtual Result<std::vector<SampleId>> Calibration() const = 0;
  /// Samples of one inference (parameter inference_batch_size).
  virtual std::size_t batch_size() const = 0;
};

}  // namespace kenning
