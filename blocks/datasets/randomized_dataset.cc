// SPDX-License-Identifier: Apache-2.0
#include "randomized_dataset.h"

#include <fmt/format.h>

#include <random>

namespace kenning {
namespace {

DatasetInfo Describe(std::size_t classes, const Shape& dims) {
  DatasetInfo info;
  info.name = "RandomizedClassificationDataset";
  info.task = "classification";
  info.sample_specs = {{.name = "input", .shape = dims}};
  for (std::size_t i = 0; i < classes; ++i) info.class_names.push_back(fmt::format("class_{}", i));
  info.has_truth = false;
  return info;
}

}  // namespace

RandomizedClassificationDataset::RandomizedClassificationDataset(DatasetOptions options,
                                                                 std::size_t samples,
                                                                 std::size_t classes, Shape dims)
    : LabelledDataset(std::move(options), Describe(classes, dims)),
      samples_(samples),
      dims_(std::move(dims)) {}

Result<> RandomizedClassificationDataset::Prepare(ProgressSink& /*progress*/,
                                                  const CancelToken& /*cancel*/) {
  if (!options_.external_calibration.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "RandomizedClassificationDataset has no external_calibration_dataset: leave the "
                "parameter out");
  }
  labels_.clear();
  for (std::size_t i = 0; i < samples_; ++i) {
    labels_.push_back(static_cast<std::int32_t>(i % info_.class_names.size()));
  }
  return FinishPrepare(info_.name);
}

Result<std::vector<Tensor>> RandomizedClassificationDataset::Load(SampleId id) const {
  KENNING_RETURN_IF_ERROR(CheckId(id));
  std::vector<Tensor> sample(1);
  KENNING_ASSIGN_OR_RETURN(sample[0], Tensor::Create(DType::kFloat32, dims_));
  // SplitMix64 (Steele, Lea, Flood 2014): one multiply-shift chain a value, seeded by the id.
  std::uint64_t state = (options_.split_seed << 32) ^ id;
  for (float& value : sample[0].as<float>()) {
    state += 0x9E37'79B9'7F4A'7C15U;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9U;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EBU;
    z ^= z >> 31;
    value = static_cast<float>(z >> 40) * 0x1p-24F;
  }
  return sample;
}

ParamSchema RandomizedClassificationSchema() {
  return ParamSchema{
      {
          ParamSpec{.name = "num_samples",
                    .type = ParamType::kInt,
                    .description = "Number of samples.",
                    .default_value = ParamValue{std::int64_t{100}},
                    .minimum = 1,
                    .maximum = 100'000'000,
                    .aliases = {"samplescount"}},
          ParamSpec{.name = "num_classes",
                    .type = ParamType::kInt,
                    .description = "Number of classes.",
                    .default_value = ParamValue{std::int64_t{3}},
                    .minimum = 1,
                    .maximum = 1'000'000,
                    .aliases = {"numclasses"}},
          ParamSpec{.name = "input_dims",
                    .type = ParamType::kIntList,
                    .description = "Shape of a sample, without the batch.",
                    .default_value = ParamValue{std::vector<std::int64_t>{224, 224, 3}},
                    .aliases = {"inputdims"}},
      }}
      .Extending(CommonDatasetSchema(false));
}

Result<std::unique_ptr<Dataset>> MakeRandomizedClassification(const Params& params,
                                                              BlockContext& /*context*/) {
  const Shape dims = params.IntList("input_dims");
  const auto count = ElementCount(dims);
  if (!count || *count == 0 || *count > (std::uint64_t{1} << 30)) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("input_dims {}: each dimension must be at least 1, and their product "
                            "at most 2^30",
                            ShapeToString(dims)));
  }
  return std::make_unique<RandomizedClassificationDataset>(
      ReadDatasetOptions(params), static_cast<std::size_t>(params.Int("num_samples")),
      static_cast<std::size_t>(params.Int("num_classes")), dims);
}

}  // namespace kenning
