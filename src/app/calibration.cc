// SPDX-License-Identifier: Apache-2.0
#include "app/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace kenning {
namespace {

/// Makes `batch.inputs` fit samples like `sample`, keeping the memory where it already does.
Result<> FitBatch(std::span<const Tensor> sample, std::size_t batch_size, Batch& batch) {
  batch.inputs.resize(sample.size());
  for (std::size_t i = 0; i < sample.size(); ++i) {
    const Shape& have = batch.inputs[i].shape();
    const Shape& one = sample[i].shape();
    const bool fits =
        batch.inputs[i].data() != nullptr && batch.inputs[i].dtype() == sample[i].dtype() &&
        have.size() == one.size() + 1 && have[0] == static_cast<std::int64_t>(batch_size) &&
        std::equal(one.begin(), one.end(), have.begin() + 1);
    if (fits) continue;
    Shape shape = {static_cast<std::int64_t>(batch_size)};
    shape.insert(shape.end(), one.begin(), one.end());
    KENNING_ASSIGN_OR_RETURN(batch.inputs[i], Tensor::Create(sample[i].dtype(), std::move(shape)));
  }
  return {};
}

}  // namespace

Result<> LoadBatch(const Dataset& dataset, std::span<const SampleId> ids, std::size_t batch_size,
                   Batch& batch) {
  batch.ids.assign(ids.begin(), ids.end());
  batch.valid_count = ids.size();
  for (std::size_t k = 0; k < batch_size; ++k) {
    if (k >= ids.size()) {
      // Padding repeats the last sample, already in place.
      for (Tensor& input : batch.inputs) {
        const std::size_t one = input.size_bytes() / batch_size;
        std::memcpy(input.data() + k * one, input.data() + (ids.size() - 1) * one, one);
      }
      continue;
    }
    KENNING_ASSIGN_OR_RETURN(const std::vector<Tensor> sample, dataset.Load(ids[k]),
                             fmt::format("sample {}", ids[k]));
    if (k == 0) KENNING_RETURN_IF_ERROR(FitBatch(sample, batch_size, batch));
    for (std::size_t i = 0; i < sample.size(); ++i) {
      const std::size_t one = batch.inputs[i].size_bytes() / batch_size;
      if (sample[i].size_bytes() != one) {
        return Fail(
            ErrorCode::kInvalidData,
            fmt::format("sample {} has the shape {}, others of its batch {}", ids[k],
                        ShapeToString(sample[i].shape()), ShapeToString(batch.inputs[i].shape())));
      }
      std::memcpy(batch.inputs[i].data() + k * one, sample[i].data(), one);
    }
  }
  return {};
}

Result<DatasetCalibration> DatasetCalibration::Make(const Dataset& dataset,
                                                    const ModelWrapper& wrapper) {
  KENNING_ASSIGN_OR_RETURN(std::vector<SampleId> ids, dataset.Calibration(), "calibration samples");
  return DatasetCalibration(dataset, wrapper, std::move(ids));
}

Result<> DatasetCalibration::Get(std::size_t index, std::vector<Tensor>& out) {
  if (ids_.empty()) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("dataset {} has no calibration samples: raise calibration_fraction or "
                            "reduce_dataset, lower split_fraction_test, or name an "
                            "external_calibration_dataset",
                            dataset_->info().name));
  }
  if (index >= ids_.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("calibration sample {} of {}", index, ids_.size()));
  }
  KENNING_RETURN_IF_ERROR(LoadBatch(*dataset_, std::span(ids_).subspan(index, 1), 1, batch_));
  return wrapper_->Preprocess(batch_, out);
}

}  // namespace kenning
