// SPDX-License-Identifier: Apache-2.0
#include "magic_wand_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "checksums.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr const char* kDefaultUrl =
    "http://download.tensorflow.org/models/tflite/magic_wand/data.tar.gz";
constexpr std::uint64_t kMostArchiveBytes = std::uint64_t{256} << 20;

DatasetInfo Describe(std::size_t window_size) {
  DatasetInfo info;
  info.name = "MagicWandDataset";
  info.task = "classification";
  info.sample_specs = {{.name = "window", .shape = {static_cast<std::int64_t>(window_size), 3}}};
  info.class_names = {"wing", "ring", "slope", "negative"};
  return info;
}

bool IsFolder(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace

MagicWandDataset::MagicWandDataset(DatasetOptions options, MagicWandOptions wand)
    : LabelledDataset(std::move(options), Describe(wand.window_size)), wand_(std::move(wand)) {}

Result<> MagicWandDataset::Fetch(ProgressSink& progress, const CancelToken& cancel) const {
  DownloadRequest request;
  request.url = wand_.url;
  request.destination = options_.root / "data.tar.gz";
  request.max_bytes = kMostArchiveBytes;
  KENNING_RETURN_IF_ERROR(Download(request, progress, cancel), "downloading the magic wand data");
  KENNING_RETURN_IF_ERROR(
      ExtractArchive(request.destination, options_.root, 4 * kMostArchiveBytes, progress, cancel),
      "unpacking the magic wand data");
  std::error_code ignored;
  std::filesystem::remove(request.destination, ignored);
  return {};
}

Result<> MagicWandDataset::AddFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    // Hidden files such as "._x.txt" hold what macOS knows of x.txt, not readings.
    if (entry->path().filename().string().starts_with('.')) continue;
    if (entry->path().extension() == ".txt") files.push_back(entry->path());
  }
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(files);
  for (const auto& file : files) {
    KENNING_ASSIGN_OR_RETURN(const std::vector<Recording> recordings, ReadMagicWandFile(file));
    for (const Recording& recording : recordings) {
      std::vector<Recording> windows =
          CutWindows(recording, wand_.window_size, wand_.window_shift, wand_.noise_level,
                     options_.split_seed + windows_.size());
      groups_.insert(groups_.end(), windows.size(), recordings_++);
      std::ranges::move(windows, std::back_inserter(windows_));
    }
  }
  return {};
}

Result<> MagicWandDataset::Prepare(ProgressSink& progress, const CancelToken& cancel) {
  const std::filesystem::path& root = options_.root;
  const bool there = IsFolder(root / info_.class_names[0]);
  if (options_.force_download || (!there && options_.download)) {
    KENNING_RETURN_IF_ERROR(Fetch(progress, cancel));
  }
  if (!options_.checksum_file.empty()) {
    KENNING_RETURN_IF_ERROR(VerifyChecksums(options_.checksum_file, root, progress, cancel));
  }
  windows_.clear();
  labels_.clear();
  groups_.clear();
  recordings_ = 0;
  for (std::size_t label = 0; label < info_.class_names.size(); ++label) {
    const std::filesystem::path folder = root / info_.class_names[label];
    if (!IsFolder(folder)) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} is not a folder: the magic wand data has one folder a gesture "
                              "({}); correct dataset_root, or allow download_dataset",
                              folder.string(), "wing, ring, slope, negative"));
    }
    KENNING_RETURN_IF_ERROR(AddFolder(folder));
    labels_.resize(windows_.size(), static_cast<std::int32_t>(label));
  }
  if (labels_.empty()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: the gestures' folders hold no recordings (*.txt)", root.string()));
  }
  if (!options_.external_calibration.empty()) {
    KENNING_RETURN_IF_ERROR(AddFolder(options_.external_calibration),
                            "external_calibration_dataset");
    external_count_ = windows_.size() - labels_.size();
    if (external_count_ == 0) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("external_calibration_dataset: {} holds no recordings (*.txt)",
                              options_.external_calibration.string()));
    }
  }
  return FinishPrepare(root.string());
}

Result<std::vector<Tensor>> MagicWandDataset::Load(SampleId id) const {
  KENNING_RETURN_IF_ERROR(CheckId(id));
  std::vector<Tensor> sample(1);
  KENNING_ASSIGN_OR_RETURN(sample[0], Tensor::Create(DType::kFloat32, info_.sample_specs[0].shape));
  std::memcpy(sample[0].data(), windows_[id].data(), sample[0].size_bytes());
  return sample;
}

ParamSchema MagicWandDatasetSchema() {
  const auto whole = [](std::string name, std::string description, std::int64_t value,
                        double minimum) {
    return ParamSpec{.name = std::move(name),
                     .type = ParamType::kInt,
                     .description = std::move(description),
                     .default_value = ParamValue{value},
                     .minimum = minimum,
                     .maximum = 1 << 20};
  };
  return ParamSchema{
      {
          whole("window_size", "Readings in a window.", 128, 1),
          whole("window_shift", "Readings between the starts of two windows.", 128, 1),
          whole("noise_level", "Noise on the padding of short recordings, peak to peak, milli-g.",
                20, 0),
          ParamSpec{.name = "url",
                    .type = ParamType::kString,
                    .description = "Archive to download where the data is missing.",
                    .default_value = ParamValue{std::string(kDefaultUrl)}},
      }}
      .Extending(CommonDatasetSchema(true));
}

Result<std::unique_ptr<Dataset>> MakeMagicWandDataset(const Params& params,
                                                      BlockContext& /*context*/) {
  MagicWandOptions wand;
  wand.window_size = static_cast<std::size_t>(params.Int("window_size"));
  wand.window_shift = static_cast<std::size_t>(params.Int("window_shift"));
  wand.noise_level = static_cast<int>(params.Int("noise_level"));
  wand.url = params.String("url");
  return std::make_unique<MagicWandDataset>(ReadDatasetOptions(params), std::move(wand));
}

}  // namespace kenning
