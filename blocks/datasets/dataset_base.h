// SPDX-License-Identifier: Apache-2.0
/// \file
/// What all classification datasets share: common parameters, labels, splits, calibration ids.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kenning/core/dataset.h"
#include "kenning/registry/registry.h"

namespace kenning {

/// The parameters that every dataset has, as Kenning names them.
struct DatasetOptions {
  std::filesystem::path root;  ///< Empty where not given.
  std::size_t batch_size = 1;
  bool download = true;
  bool force_download = false;
  std::filesystem::path external_calibration;  ///< Empty: calibrate with training samples.
  double fraction_test = 0.2;
  double fraction_validation = 0;
  std::uint64_t split_seed = 1234;
  double keep = 1;  ///< reduce_dataset: the part of each split that is used.
  double calibration_fraction = 0.25;
  std::uint64_t calibration_seed = 12345;
  bool official_split = true;
  std::filesystem::path checksum_file;
};

ParamSchema CommonDatasetSchema(bool root_required);
DatasetOptions ReadDatasetOptions(const Params& params);

/// A classification dataset with its labels in memory. Subclasses fill `info_` and `labels_` (and,
/// where the source has a split of its own, `official_*`) in Prepare, then call FinishPrepare.
class LabelledDataset : public Dataset {
 public:
  LabelledDataset(DatasetOptions options, DatasetInfo info)
      : options_(std::move(options)), info_(std::move(info)) {}

  const DatasetInfo& info() const override { return info_; }
  std::size_t size() const override { return labels_.size(); }
  Result<GroundTruth> Truth(SampleId id) const override;
  Result<DatasetSplit> Split() const override;
  Result<std::vector<SampleId>> Calibration() const override;
  std::size_t batch_size() const override { return options_.batch_size; }

 protected:
  /// Checks labels against the classes. \return kInvalidData naming `source` and the row.
  Result<> FinishPrepare(const std::string& source);
  /// \return kInvalidArgument for an id that is neither a sample nor an external calibration one.
  Result<> CheckId(SampleId id) const;
  /// Position of an id among the external calibration samples; empty for ordinary ids.
  std::optional<std::size_t> ExternalIndex(SampleId id) const;

  DatasetOptions options_;
  DatasetInfo info_;
  std::vector<std::int32_t> labels_;
  /// By id: what a sample was cut from; samples of one group are never divided between the parts.
  /// Empty: every sample stands alone.
  std::vector<std::uint32_t> groups_;
  std::optional<DatasetSplit> official_;  ///< train and test (validation may be empty).
  std::size_t external_count_ = 0;        ///< Samples of the external calibration folder.
};

}  // namespace kenning
