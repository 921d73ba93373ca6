// SPDX-License-Identifier: Apache-2.0
/// \file
/// Calibration samples as optimizers see them: through the wrapper, one at a time.
#pragma once

#include <vector>

#include "kenning/core/dataset.h"
#include "kenning/core/model_wrapper.h"
#include "kenning/core/optimizer.h"

namespace kenning {

/// Borrows dataset and wrapper.
class DatasetCalibration final : public CalibrationView {
 public:
  /// A dataset without calibration samples gives an empty view: not every optimizer needs them.
  static Result<DatasetCalibration> Make(const Dataset& dataset, const ModelWrapper& wrapper);

  std::size_t size() const override { return ids_.size(); }
  /// \return kFailedPrecondition with the remedy where there are no samples at all.
  Result<> Get(std::size_t index, std::vector<Tensor>& out) override;

 private:
  DatasetCalibration(const Dataset& dataset, const ModelWrapper& wrapper, std::vector<SampleId> ids)
      : dataset_(&dataset), wrapper_(&wrapper), ids_(std::move(ids)) {}

  const Dataset* dataset_;
  const ModelWrapper* wrapper_;
  std::vector<SampleId> ids_;
  Batch batch_;
};

/// Loads samples into a batch of `batch_size`, padding with the last one. Reuses the batch's
/// memory.
Result<> LoadBatch(const Dataset& dataset, std::span<const SampleId> ids, std::size_t batch_size,
                   Batch& batch);

}  // namespace kenning
