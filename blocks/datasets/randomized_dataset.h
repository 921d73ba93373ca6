// SPDX-License-Identifier: Apache-2.0
/// \file
/// RandomizedClassificationDataset: samples of noise, for measuring speed without data.
#pragma once

#include "dataset_base.h"

namespace kenning {

/// Samples are float32 of `input_dims`, uniform in 0..1, each from its own seeded generator. Labels
/// only serve the stratified split: `has_truth` is false and nothing is evaluated.
class RandomizedClassificationDataset final : public LabelledDataset {
 public:
  RandomizedClassificationDataset(DatasetOptions options, std::size_t samples, std::size_t classes,
                                  Shape dims);
  Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) override;
  Result<std::vector<Tensor>> Load(SampleId id) const override;

 private:
  std::size_t samples_;
  Shape dims_;
};

ParamSchema RandomizedClassificationSchema();
Result<std::unique_ptr<Dataset>> MakeRandomizedClassification(const Params& params,
                                                              BlockContext& context);

}  // namespace kenning
