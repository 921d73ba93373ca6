// SPDX-License-Identifier: Apache-2.0
#include "fashion_mnist_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "checksums.h"
#include "external_images.h"
#include "image.h"
#include "kenning/base/file.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr std::size_t kSide = 28;
constexpr std::size_t kPixels = kSide * kSide;
constexpr std::uint64_t kMostImageBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMostLabelBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kMostDownloadBytes = std::uint64_t{64} << 20;
constexpr const char* kDebianFolder = "/usr/share/datasets/fashion-mnist";
constexpr const char* kDefaultUrl = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/";

/// sha256 of the unpacked content: mirrors compress the same bytes differently.
struct KnownFile {
  const char* name;
  const char* sha256;
};
constexpr std::array<KnownFile, 4> kFiles = {{
    {"train-images-idx3-ubyte.gz",
     "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"},
    {"train-labels-idx1-ubyte.gz",
     "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"},
    {"t10k-images-idx3-ubyte.gz",
     "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"},
    {"t10k-labels-idx1-ubyte.gz",
     "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"},
}};

DatasetInfo Describe() {
  DatasetInfo info;
  info.name = "FashionMNISTDataset";
  info.task = "classification";
  info.sample_specs = {{.name = "image", .shape = {kSide, kSide, 1}, .layout = "NHWC"}};
  info.class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                      "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  info.mean = {0.2860F};
  info.stddev = {0.3530F};
  return info;
}

bool HasAllFiles(const std::filesystem::path& folder) {
  return std::ranges::all_of(kFiles, [&folder](const KnownFile& file) {
    std::error_code ignored;
    return std::filesystem::is_regular_file(folder / file.name, ignored);
  });
}

}  // namespace

FashionMnistDataset::FashionMnistDataset(DatasetOptions options, std::string base_url)
    : LabelledDataset(std::move(options), Describe()), base_url_(std::move(base_url)) {}

Result<std::filesystem::path> FashionMnistDataset::FindFiles(ProgressSink& progress,
                                                             const CancelToken& cancel) const {
  const std::filesystem::path cached = CacheDir() / "datasets" / "fashion-mnist";
  std::vector<std::filesystem::path> places;
  if (!options_.root.empty()) {
    places = {options_.root};
  } else {
    places = {kDebianFolder, cached};
  }
  if (!options_.force_download) {
    for (const auto& place : places) {
      if (HasAllFiles(place)) return place;
    }
  }
  if (!options_.download && !options_.force_download) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("Fashion-MNIST is not in {}; install the Debian package "
                            "dataset-fashion-mnist, name its folder as dataset_root, or allow "
                            "download_dataset",
                            places.front().string()));
  }
  const std::filesystem::path target = options_.root.empty() ? cached : options_.root;
  KENNING_RETURN_IF_ERROR(DownloadTo(target, progress, cancel),
                          "downloading Fashion-MNIST (the Debian package dataset-fashion-mnist has "
                          "it, too)");
  return target;
}

Result<> FashionMnistDataset::DownloadTo(const std::filesystem::path& folder,
                                         ProgressSink& progress, const CancelToken& cancel) const {
  const std::string separator = base_url_.ends_with('/') ? "" : "/";
  for (const KnownFile& file : kFiles) {
    DownloadRequest request;
    request.url = base_url_ + separator + file.name;
    request.destination = folder / file.name;
    request.max_bytes = kMostDownloadBytes;
    KENNING_RETURN_IF_ERROR(Download(request, progress, cancel));
    KENNING_ASSIGN_OR_RETURN(const std::string content,
                             ReadGzipFile(request.destination, kMostImageBytes));
    if (const std::string sha256 = Sha256Hex(content); sha256 != file.sha256) {
      std::error_code ignored;
      std::filesystem::remove(request.destination, ignored);
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: its content has the sha256 {}, {} is expected; the file was "
                              "removed",
                              request.url, sha256, file.sha256));
    }
  }
  return {};
}

Result<> FashionMnistDataset::Prepare(ProgressSink& progress, const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path folder, FindFiles(progress, cancel));
  if (!options_.checksum_file.empty()) {
    KENNING_RETURN_IF_ERROR(VerifyChecksums(options_.checksum_file, folder, progress, cancel));
  }
  labels_.clear();
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    KENNING_ASSIGN_OR_RETURN(const IdxFile labels,
                             ReadIdxGz(folder / kFiles[2 * p + 1].name, 1, kMostLabelBytes));
    parts_[p].images_path = folder / kFiles[2 * p].name;
    parts_[p].count = labels.dims[0];
    labels_.insert(labels_.end(), labels.data(), labels.data() + labels.dims[0]);
  }
  official_ = DatasetSplit{};
  official_->train.resize(parts_[0].count);
  official_->test.resize(parts_[1].count);
  std::iota(official_->train.begin(), official_->train.end(), SampleId{0});
  std::iota(official_->test.begin(), official_->test.end(), static_cast<SampleId>(parts_[0].count));
  if (!options_.external_calibration.empty()) {
    KENNING_ASSIGN_OR_RETURN(external_, FindImages(options_.external_calibration));
    external_count_ = external_.size();
  }
  return FinishPrepare(folder.string());
}

Result<const IdxFile*> FashionMnistDataset::Images(const Part& part) const {
  std::call_once(part.once, [&part] {
    part.images = ReadIdxGz(part.images_path, 3, kMostImageBytes);
    if (!part.images) return;
    const std::vector<std::uint32_t>& dims = part.images->dims;
    if (dims[0] != part.count || dims[1] != kSide || dims[2] != kSide) {
      part.images = Fail(ErrorCode::kInvalidData,
                         fmt::format("{}: {} images of {} x {} pixels, {} labels; {} x {} pixels "
                                     "and one label each are expected",
                                     part.images_path.string(), dims[0], dims[2], dims[1],
                                     part.count, kSide, kSide));
    }
  });
  if (!part.images) return Fail(part.images.error());
  return &*part.images;
}

Result<std::vector<Tensor>> FashionMnistDataset::Load(SampleId id) const {
  KENNING_RETURN_IF_ERROR(CheckId(id));
  std::vector<Tensor> sample(1);
  if (const auto index = ExternalIndex(id)) {
    KENNING_ASSIGN_OR_RETURN(const Image image, ReadImage(external_[*index], 1));
    KENNING_ASSIGN_OR_RETURN(sample[0], ToTensor(image, kSide, kSide, Resize::kCrop));
    return sample;
  }
  const std::size_t p = id < parts_[0].count ? 0 : 1;
  const std::size_t row = id - (p == 0 ? 0 : parts_[0].count);
  KENNING_ASSIGN_OR_RETURN(const IdxFile* const images, Images(parts_[p]));
  KENNING_ASSIGN_OR_RETURN(sample[0], Tensor::Create(DType::kFloat32, {kSide, kSide, 1}));
  const unsigned char* from = images->data() + row * kPixels;
  float* to = sample[0].as<float>().data();
  for (std::size_t i = 0; i < kPixels; ++i) to[i] = static_cast<float>(from[i]) / 255.0F;
  return sample;
}

ParamSchema FashionMnistSchema() {
  return ParamSchema{{
                         {.name = "base_url",
                          .type = ParamType::kString,
                          .description = "Where the four files are downloaded from.",
                          .default_value = ParamValue{std::string(kDefaultUrl)}},
                     }}
      .Extending(CommonDatasetSchema(false));
}

Result<std::unique_ptr<Dataset>> MakeFashionMnist(const Params& params, BlockContext& /*context*/) {
  return std::make_unique<FashionMnistDataset>(ReadDatasetOptions(params),
                                               params.String("base_url"));
}

}  // namespace kenning
