// SPDX-License-Identifier: Apache-2.0
#include "dataset_base.h"

#include <fmt/format.h>

#include <numeric>

#include "split.h"

namespace kenning {
namespace {

ParamSpec Fraction(std::string name, std::string description, double default_value) {
  return {.name = std::move(name),
          .type = ParamType::kFloat,
          .description = std::move(description),
          .default_value = ParamValue{default_value},
          .minimum = 0,
          .maximum = 1};
}

ParamSpec Flag(std::string name, std::string description, bool default_value) {
  return {.name = std::move(name),
          .type = ParamType::kBool,
          .description = std::move(description),
          .default_value = ParamValue{default_value}};
}

ParamSpec OptionalPath(std::string name, std::string description) {
  return {.name = std::move(name),
          .type = ParamType::kPath,
          .description = std::move(description),
          .default_value = ParamValue{},
          .nullable = true};
}

ParamSpec Seed(std::string name, std::string description, std::int64_t default_value) {
  return {.name = std::move(name),
          .type = ParamType::kInt,
          .description = std::move(description),
          .default_value = ParamValue{default_value},
          .minimum = 0};
}

}  // namespace

ParamSchema CommonDatasetSchema(bool root_required) {
  ParamSpec root = OptionalPath("dataset_root", "Folder of the data.");
  if (root_required) {
    root.default_value.reset();
    root.required = true;
    root.nullable = false;
  }
  ParamSpec validation = Fraction(
      "split_fraction_val", "Part of the training samples that is kept apart for validation.", 0);
  validation.default_value = ParamValue{};
  validation.nullable = true;
  return {{
      std::move(root),
      {.name = "inference_batch_size",
       .type = ParamType::kInt,
       .description = "Samples of one inference.",
       .default_value = ParamValue{std::int64_t{1}},
       .minimum = 1,
       .maximum = 65535},
      Flag("download_dataset", "Download the data where it is missing.", true),
      Flag("force_download_dataset", "Download the data even where it is there.", false),
      OptionalPath("external_calibration_dataset",
                   "Folder of samples to calibrate with, instead of training samples."),
      Fraction("split_fraction_test", "Part of all samples that is tested.", 0.2),
      std::move(validation),
      Seed("split_seed", "Seed of the split.", 1234),
      Fraction("reduce_dataset", "Part of each split that is used.", 1),
      Fraction("calibration_fraction", "Part of the training samples that may calibrate.", 0.25),
      Seed("calibration_seed", "Seed of the choice of calibration samples.", 12345),
      Flag("official_split",
           "Use the split that the data set was published with, where it has one; "
           "split_fraction_test then has no effect.",
           true),
      OptionalPath("checksum_file",
                   "A list as sha256sum writes it, with paths relative to dataset_root; each file "
                   "in it is verified before anything runs."),
  }};
}

DatasetOptions ReadDatasetOptions(const Params& params) {
  DatasetOptions options;
  if (params.Has("dataset_root")) options.root = params.String("dataset_root");
  options.batch_size = static_cast<std::size_t>(params.Int("inference_batch_size"));
  options.download = params.Bool("download_dataset");
  options.force_download = params.Bool("force_download_dataset");
  if (params.Has("external_calibration_dataset")) {
    options.external_calibration = params.String("external_calibration_dataset");
  }
  options.fraction_test = params.Float("split_fraction_test");
  if (params.Has("split_fraction_val")) {
    options.fraction_validation = params.Float("split_fraction_val");
  }
  options.split_seed = static_cast<std::uint64_t>(params.Int("split_seed"));
  options.keep = params.Float("reduce_dataset");
  options.calibration_fraction = params.Float("calibration_fraction");
  options.calibration_seed = static_cast<std::uint64_t>(params.Int("calibration_seed"));
  options.official_split = params.Bool("official_split");
  if (params.Has("checksum_file")) options.checksum_file = params.String("checksum_file");
  return options;
}

Result<GroundTruth> LabelledDataset::Truth(SampleId id) const {
  if (!info_.has_truth) return GroundTruth{};
  if (id >= labels_.size()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("sample {} has no label", id));
  }
  return ClassTruth{labels_[id]};
}

Result<DatasetSplit> LabelledDataset::Split() const {
  DatasetSplit split;
  if (official_ && options_.official_split) {
    split = *official_;
  } else {
    std::vector<SampleId> all(labels_.size());
    std::iota(all.begin(), all.end(), SampleId{0});
    std::tie(split.test, split.train) =
        StratifiedDivide(all, labels_, options_.fraction_test, options_.split_seed, groups_);
  }
  if (split.validation.empty() && options_.fraction_validation > 0) {
    std::tie(split.validation, split.train) = StratifiedDivide(
        split.train, labels_, options_.fraction_validation, options_.split_seed, groups_);
  }
  if (options_.keep < 1) {
    for (auto* part : {&split.train, &split.test, &split.validation}) {
      *part = StratifiedDivide(*part, labels_, options_.keep, options_.split_seed).first;
    }
  }
  return split;
}

Result<std::vector<SampleId>> LabelledDataset::Calibration() const {
  if (!options_.external_calibration.empty()) {
    std::vector<SampleId> ids(external_count_);
    std::iota(ids.begin(), ids.end(), static_cast<SampleId>(labels_.size()));
    return ids;
  }
  KENNING_ASSIGN_OR_RETURN(const DatasetSplit split, Split());
  return StratifiedDivide(split.train, labels_, options_.calibration_fraction,
                          options_.calibration_seed)
      .first;
}

Result<> LabelledDataset::FinishPrepare(const std::string& source) {
  const auto classes = static_cast<std::int32_t>(info_.class_names.size());
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    if (labels_[i] < 0 || labels_[i] >= classes) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: row {} has the label {}, which is not among the {} classes",
                              source, i, labels_[i], classes));
    }
  }
  if (labels_.size() + external_count_ > 0xFFFF'FFFFU) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{}: more than 2^32 samples", source));
  }
  return {};
}

Result<> LabelledDataset::CheckId(SampleId id) const {
  if (id < labels_.size() + external_count_) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("sample {} of {}: there are {}", id, info_.name, labels_.size()));
}

std::optional<std::size_t> LabelledDataset::ExternalIndex(SampleId id) const {
  if (id < labels_.size()) return std::nullopt;
  return id - labels_.size();
}

}  // namespace kenning
