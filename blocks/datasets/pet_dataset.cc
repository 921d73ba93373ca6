// SPDX-License-Identifier: Apache-2.0
#include "pet_dataset.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <sstream>

#include "checksums.h"
#include "external_images.h"
#include "image.h"
#include "kenning/base/file.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr std::size_t kSide = 224;
constexpr std::size_t kPixels = kSide * kSide;
constexpr std::int32_t kMostClasses = 1000;
constexpr std::uint64_t kMostListBytes = std::uint64_t{16} << 20;
constexpr std::uint64_t kMostFileBytes = std::uint64_t{8} << 30;
constexpr const char* kDefaultUrl = "https://www.robots.ox.ac.uk/~vgg/data/pets/data/";

/// The images are 792 MB, the annotations 19 MB.
struct Archive {
  const char* name;
  const char* sha256;
  std::uint64_t most_bytes;
};
constexpr std::array<Archive, 2> kArchives = {{
    {"annotations.tar.gz", "52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
     std::uint64_t{64} << 20},
    {"images.tar.gz", "67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
     std::uint64_t{2} << 30},
}};

DatasetInfo Describe(const PetOptions& pet) {
  DatasetInfo info;
  info.name = "PetDataset";
  info.task = "classification";
  info.sample_specs = {{.name = "image",
                        .shape = pet.nchw ? Shape{3, kSide, kSide} : Shape{kSide, kSide, 3},
                        .layout = pet.nchw ? "NCHW" : "NHWC"}};
  if (pet.by_species) info.class_names = {"cat", "dog"};
  info.mean = {0.485F, 0.456F, 0.406F};
  info.stddev = {0.229F, 0.224F, 0.225F};
  return info;
}

bool IsThere(const std::filesystem::path& root) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(root / "annotations" / "list.txt", ignored) &&
         std::filesystem::is_directory(root / "images", ignored);
}

/// "Abyssinian_100 1 1 1": name, class, species and breed, counted from 1.
struct Row {
  std::string name;
  std::int32_t breed = 0;  ///< The class, from 0.
  std::int32_t species = 0;
};

std::optional<std::int32_t> ParseFromOne(const std::string& text, std::int32_t most) {
  std::int32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > most) {
    return std::nullopt;
  }
  return value - 1;
}

/// The rows of a list; lines that begin with # are comments.
Result<std::vector<Row>> ReadRows(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostListBytes));
  std::vector<Row> rows;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream words(line);
    Row row;
    std::string breed;
    std::string species;
    if (!(words >> row.name) || row.name.starts_with('#')) continue;
    words >> breed >> species;
    const auto breed_index = ParseFromOne(breed, kMostClasses);
    const auto species_index = ParseFromOne(species, 2);
    if (!breed_index || !species_index || row.name.find('/') != std::string::npos) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}:{}: \"{}\" is not \"name class species breed\" with a class of "
                              "1..{} and a species of 1 or 2; fetch the annotations again",
                              path.string(), number, line.substr(0, 80), kMostClasses));
    }
    row.breed = *breed_index;
    row.species = *species_index;
    rows.push_back(std::move(row));
  }
  return rows;
}

/// "Abyssinian" of "Abyssinian_100".
std::string BreedOf(const std::string& name) { return name.substr(0, name.rfind('_')); }

/// Names of the breeds by class; each class has one. \return kInvalidData.
Result<std::vector<std::string>> BreedNames(const std::filesystem::path& path,
                                            const std::vector<Row>& rows) {
  std::map<std::int32_t, std::string> names;
  for (const Row& row : rows) {
    const auto [it, added] = names.emplace(row.breed, BreedOf(row.name));
    if (!added && it->second != BreedOf(row.name)) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: class {} is {} and, of {}, something else", path.string(),
                              row.breed + 1, it->second, row.name));
    }
  }
  std::vector<std::string> list;
  for (auto& [breed, name] : names) {
    if (breed != static_cast<std::int32_t>(list.size())) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: no image is of class {}", path.string(), list.size() + 1));
    }
    list.push_back(std::move(name));
  }
  return list;
}

Result<Tensor> ToPlanes(const Tensor& image) {
  KENNING_ASSIGN_OR_RETURN(Tensor planes, Tensor::Create(DType::kFloat32, {3, kSide, kSide}));
  const std::span<const float> from = image.as<float>();
  const std::span<float> to = planes.as<float>();
  for (std::size_t c = 0; c < 3; ++c) {
    for (std::size_t p = 0; p < kPixels; ++p) to[c * kPixels + p] = from[p * 3 + c];
  }
  return planes;
}

}  // namespace

PetDataset::PetDataset(DatasetOptions options, PetOptions pet)
    : LabelledDataset(std::move(options), Describe(pet)), pet_(std::move(pet)) {}

Result<> PetDataset::Fetch(const std::filesystem::path& root, ProgressSink& progress,
                           const CancelToken& cancel) const {
  const std::string folder = pet_.url.ends_with('/') ? pet_.url : pet_.url + "/";
  for (const Archive& archive : kArchives) {
    DownloadRequest request;
    request.url = folder + archive.name;
    request.destination = root / archive.name;
    request.max_bytes = archive.most_bytes;
    if (pet_.url == kDefaultUrl) request.sha256 = archive.sha256;
    KENNING_RETURN_IF_ERROR(Download(request, progress, cancel), "downloading the Pet data set");
    KENNING_RETURN_IF_ERROR(
        ExtractArchive(request.destination, root, kMostFileBytes, progress, cancel),
        "unpacking the Pet data set");
    std::error_code ignored;
    std::filesystem::remove(request.destination, ignored);
  }
  return {};
}

Result<> PetDataset::ReadList(const std::filesystem::path& root) {
  const std::filesystem::path list = root / "annotations" / "list.txt";
  KENNING_ASSIGN_OR_RETURN(std::vector<Row> rows, ReadRows(list), "Pet data set");
  if (!pet_.by_species) {
    KENNING_ASSIGN_OR_RETURN(info_.class_names, BreedNames(list, rows));
  }
  images_ = root / "images";
  labels_.clear();
  names_.clear();
  for (Row& row : rows) {
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(images_ / (row.name + ".jpg"), ignored)) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{}/{}.jpg is not there, but {} lists it; set "
                              "force_download_dataset, or take its line out of the list",
                              images_.string(), row.name, list.string()));
    }
    labels_.push_back(pet_.by_species ? row.species : row.breed);
    names_.push_back(std::move(row.name));
  }
  return {};
}

Result<> PetDataset::ReadOfficialSplit(const std::filesystem::path& root) {
  official_.reset();
  std::error_code ignored;
  const std::filesystem::path folder = root / "annotations";
  for (const char* name : {"trainval.txt", "test.txt"}) {
    if (!std::filesystem::exists(folder / name, ignored)) return {};
  }
  std::map<std::string, SampleId> ids;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    ids.emplace(names_[i], static_cast<SampleId>(i));
  }
  DatasetSplit split;
  std::vector<bool> used(names_.size(), false);
  for (auto& [name, part] : {std::pair{"trainval.txt", &split.train}, {"test.txt", &split.test}}) {
    KENNING_ASSIGN_OR_RETURN(const std::vector<Row> rows, ReadRows(folder / name), "Pet data set");
    for (const Row& row : rows) {
      const auto it = ids.find(row.name);
      if (it == ids.end() || used[it->second]) {
        return Fail(ErrorCode::kInvalidData,
                    fmt::format("{}: {} {}; fetch the annotations again, or set official_split to "
                                "false",
                                (folder / name).string(), row.name,
                                it == ids.end() ? "is not in list.txt" : "is listed twice"));
      }
      used[it->second] = true;
      part->push_back(it->second);
    }
  }
  official_ = std::move(split);
  return {};
}

Result<> PetDataset::Prepare(ProgressSink& progress, const CancelToken& cancel) {
  const std::filesystem::path root =
      options_.root.empty() ? CacheDir() / "datasets" / "oxford-iiit-pet" : options_.root;
  if (options_.force_download || (!IsThere(root) && options_.download)) {
    KENNING_RETURN_IF_ERROR(Fetch(root, progress, cancel));
  }
  if (!IsThere(root)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the Pet data set is not in {}: annotations/list.txt and the folder "
                            "images are expected; correct dataset_root, or allow "
                            "download_dataset (811 MB)",
                            root.string()));
  }
  if (!options_.checksum_file.empty()) {
    KENNING_RETURN_IF_ERROR(VerifyChecksums(options_.checksum_file, root, progress, cancel));
  }
  KENNING_RETURN_IF_ERROR(ReadList(root));
  if (options_.official_split) KENNING_RETURN_IF_ERROR(ReadOfficialSplit(root));
  if (!options_.external_calibration.empty()) {
    KENNING_ASSIGN_OR_RETURN(external_, FindImages(options_.external_calibration));
    external_count_ = external_.size();
  }
  return FinishPrepare((root / "annotations" / "list.txt").string());
}

Result<std::vector<Tensor>> PetDataset::Load(SampleId id) const {
  KENNING_RETURN_IF_ERROR(CheckId(id));
  const auto index = ExternalIndex(id);
  const std::filesystem::path path = index ? external_[*index] : images_ / (names_[id] + ".jpg");
  KENNING_ASSIGN_OR_RETURN(const Image image, ReadImage(path, 3));
  std::vector<Tensor> sample(1);
  KENNING_ASSIGN_OR_RETURN(sample[0], ToTensor(image, kSide, kSide, Resize::kStretch));
  if (pet_.nchw) {
    KENNING_ASSIGN_OR_RETURN(sample[0], ToPlanes(sample[0]));
  }
  return sample;
}

ParamSchema PetSchema() {
  return ParamSchema{{
                         {.name = "classify_by",
                          .type = ParamType::kString,
                          .description = "What the classes are: 37 breeds, or cat and dog.",
                          .default_value = ParamValue{std::string("breeds")},
                          .allowed = {"breeds", "species"}},
                         {.name = "image_memory_layout",
                          .type = ParamType::kString,
                          .description = "Order of a sample's dimensions; the model wrapper turns "
                                         "it into the model's.",
                          .default_value = ParamValue{std::string("NHWC")},
                          .allowed = {"NHWC", "NCHW"}},
                         {.name = "url",
                          .type = ParamType::kString,
                          .description = "The folder that images.tar.gz and annotations.tar.gz are "
                                         "downloaded from.",
                          .default_value = ParamValue{std::string(kDefaultUrl)}},
                     }}
      .Extending(CommonDatasetSchema(false));
}

Result<std::unique_ptr<Dataset>> MakePetDataset(const Params& params, BlockContext& /*context*/) {
  PetOptions pet;
  pet.by_species = params.String("classify_by") == "species";
  pet.nchw = params.String("image_memory_layout") == "NCHW";
  pet.url = params.String("url");
  return std::make_unique<PetDataset>(ReadDatasetOptions(params), std::move(pet));
}

}  // namespace kenning
