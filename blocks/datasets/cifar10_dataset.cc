// SPDX-License-Identifier: Apache-2.0
#include "cifar10_dataset.h"

#include <fmt/format.h>

#include <array>
#include <fstream>

#include "checksums.h"
#include "external_images.h"
#include "image.h"
#include "image_folder_dataset.h"
#include "kenning/base/file.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr std::size_t kSide = 32;
constexpr std::size_t kPixels = kSide * kSide;
constexpr std::size_t kRecord = 1 + 3 * kPixels;  ///< Label, then the planes of red, green, blue.
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 30;
constexpr std::uint64_t kArchiveBytes = 170'052'171;
constexpr const char* kDefaultUrl = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
constexpr const char* kArchiveSha256 =
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd";
constexpr const char* kTestFile = "test_batch.bin";
constexpr std::array<const char*, 5> kTrainFiles = {"data_batch_1.bin", "data_batch_2.bin",
                                                    "data_batch_3.bin", "data_batch_4.bin",
                                                    "data_batch_5.bin"};

DatasetInfo Describe() {
  DatasetInfo info;
  info.name = "CIFAR10Dataset";
  info.task = "classification";
  info.sample_specs = {{.name = "image", .shape = {kSide, kSide, 3}, .layout = "NHWC"}};
  info.class_names = {"airplane", "automobile", "bird",  "cat",  "deer",
                      "dog",      "frog",       "horse", "ship", "truck"};
  info.mean = {0.4914F, 0.4822F, 0.4465F};
  info.stddev = {0.2470F, 0.2435F, 0.2616F};
  return info;
}

/// The folder itself, or the one that the archive unpacks to.
std::filesystem::path BinaryFolder(const std::filesystem::path& root) {
  std::error_code ignored;
  for (const auto& folder : {root, root / "cifar-10-batches-bin"}) {
    if (std::filesystem::is_regular_file(folder / kTestFile, ignored)) return folder;
  }
  return {};
}

}  // namespace

Cifar10Binary::Cifar10Binary(DatasetOptions options, std::string url)
    : LabelledDataset(std::move(options), Describe()), url_(std::move(url)) {}

Result<std::filesystem::path> Cifar10Binary::FindFiles(ProgressSink& progress,
                                                       const CancelToken& cancel) const {
  const std::filesystem::path root =
      options_.root.empty() ? CacheDir() / "datasets" / "cifar-10" : options_.root;
  if (!options_.force_download) {
    if (auto found = BinaryFolder(root); !found.empty()) return found;
  }
  if (!options_.download && !options_.force_download) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("CIFAR-10 is not in {}: neither {} nor folders train/ and test/ of "
                            "images; correct dataset_root, or allow download_dataset",
                            root.string(), kTestFile));
  }
  DownloadRequest request;
  request.url = url_;
  request.destination = root / "cifar-10-binary.tar.gz";
  request.max_bytes = 2 * kArchiveBytes;
  if (url_ == kDefaultUrl) request.sha256 = kArchiveSha256;
  KENNING_RETURN_IF_ERROR(Download(request, progress, cancel), "downloading CIFAR-10");
  KENNING_RETURN_IF_ERROR(
      ExtractArchive(request.destination, root, kMostFileBytes, progress, cancel),
      "unpacking CIFAR-10");
  std::error_code ignored;
  std::filesystem::remove(request.destination, ignored);
  if (auto found = BinaryFolder(root); !found.empty()) return found;
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{}: the archive does not hold {}", url_, kTestFile));
}

Result<> Cifar10Binary::ReadLabels(const std::filesystem::path& path, std::vector<SampleId>& ids) {
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMostFileBytes));
  if (bytes.empty() || bytes.size() % kRecord != 0) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: {} bytes are not a whole number of {}-byte records; fetch the "
                            "data set again",
                            path.string(), bytes.size(), kRecord));
  }
  for (std::size_t row = 0; row * kRecord < bytes.size(); ++row) {
    ids.push_back(static_cast<SampleId>(labels_.size()));
    labels_.push_back(static_cast<unsigned char>(bytes[row * kRecord]));
    if (labels_.back() >= static_cast<std::int32_t>(info_.class_names.size())) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: record {} has the label {}; 0..9 are expected", path.string(),
                              row, labels_.back()));
    }
    places_.push_back({static_cast<std::uint32_t>(files_.size()), static_cast<std::uint32_t>(row)});
  }
  files_.push_back(path);
  return {};
}

Result<> Cifar10Binary::Prepare(ProgressSink& progress, const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path folder, FindFiles(progress, cancel));
  if (!options_.checksum_file.empty()) {
    KENNING_RETURN_IF_ERROR(VerifyChecksums(options_.checksum_file, folder, progress, cancel));
  }
  official_ = DatasetSplit{};
  labels_.clear();
  places_.clear();
  files_.clear();
  KENNING_RETURN_IF_ERROR(ReadLabels(folder / kTestFile, official_->test));
  // A test file alone is enough to test; only calibration and validation need the others.
  const char* missing = nullptr;
  for (const char* name : kTrainFiles) {
    std::error_code ignored;
    if (!std::filesystem::exists(folder / name, ignored)) {
      if (missing == nullptr) missing = name;
      continue;
    }
    if (missing != nullptr) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: {} is missing, but {} is there; fetch the data set again, or "
                              "remove the files after the missing one",
                              folder.string(), missing, name));
    }
    KENNING_RETURN_IF_ERROR(ReadLabels(folder / name, official_->train));
  }
  if (!options_.external_calibration.empty()) {
    KENNING_ASSIGN_OR_RETURN(external_, FindImages(options_.external_calibration));
    external_count_ = external_.size();
  }
  return FinishPrepare(folder.string());
}

Result<std::vector<Tensor>> Cifar10Binary::Load(SampleId id) const {
  KENNING_RETURN_IF_ERROR(CheckId(id));
  std::vector<Tensor> sample(1);
  if (const auto index = ExternalIndex(id)) {
    KENNING_ASSIGN_OR_RETURN(const Image image, ReadImage(external_[*index], 3));
    KENNING_ASSIGN_OR_RETURN(sample[0], ToTensor(image, kSide, kSide, Resize::kCrop));
    return sample;
  }
  const Place place = places_[id];
  std::array<char, kRecord> record;
  std::ifstream file(files_[place.file], std::ios::binary);
  file.seekg(static_cast<std::streamoff>(place.row * kRecord));
  if (!file.read(record.data(), record.size())) {
    return Fail(ErrorCode::kIo, fmt::format("{}: record {} cannot be read",
                                            files_[place.file].string(), place.row));
  }
  KENNING_ASSIGN_OR_RETURN(sample[0], Tensor::Create(DType::kFloat32, {kSide, kSide, 3}));
  float* to = sample[0].as<float>().data();
  for (std::size_t p = 0; p < kPixels; ++p) {
    for (std::size_t c = 0; c < 3; ++c) {
      const char value = record[1 + c * kPixels + p];
      to[p * 3 + c] = static_cast<float>(static_cast<unsigned char>(value)) / 255.0F;
    }
  }
  return sample;
}

ParamSchema Cifar10Schema() {
  return ParamSchema{{
                         {.name = "url",
                          .type = ParamType::kString,
                          .description = "Where the archive of the binary layout is downloaded "
                                         "from.",
                          .default_value = ParamValue{std::string(kDefaultUrl)}},
                     }}
      .Extending(CommonDatasetSchema(false));
}

Result<std::unique_ptr<Dataset>> MakeCifar10(const Params& params, BlockContext& /*context*/) {
  DatasetOptions options = ReadDatasetOptions(params);
  std::error_code ignored;
  if (!options.root.empty() && BinaryFolder(options.root).empty() &&
      std::filesystem::is_directory(options.root / "test", ignored)) {
    ImageFolderOptions images;
    images.width = kSide;
    images.height = kSide;
    images.class_names = Describe().class_names;
    return std::make_unique<ImageFolderDataset>(std::move(options), std::move(images), Describe());
  }
  return std::make_unique<Cifar10Binary>(std::move(options), params.String("url"));
}

}  // namespace kenning
