// SPDX-License-Identifier: Apache-2.0
#include "image_folder_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "checksums.h"
#include "external_images.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

using std::filesystem::path;

bool IsFolder(const path& folder) {
  std::error_code ignored;
  return std::filesystem::is_directory(folder, ignored);
}

/// Entries of a folder, sorted by name; hidden ones left out.
Result<std::vector<path>> Entries(const path& folder) {
  std::error_code error;
  std::vector<path> entries;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (!entry->path().filename().string().starts_with('.')) entries.push_back(entry->path());
  }
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", folder.string(), error.message()));
  }
  std::ranges::sort(entries);
  return entries;
}

std::vector<float> Floats(const Params& params, const char* name) {
  if (!params.Has(name)) return {};
  const std::vector<double>& values = params.FloatList(name);
  return {values.begin(), values.end()};
}

/// In the order of numbers where all are whole numbers ("2" before "10"), else as text.
std::vector<std::string> SortedClasses(const std::set<std::string>& names) {
  std::vector<std::string> sorted(names.begin(), names.end());
  const bool numbers = std::ranges::all_of(sorted, [](const std::string& name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  });
  if (!numbers) return sorted;
  // Of any length: without zeros in front, the longer one is the larger one.
  std::ranges::stable_sort(sorted, {}, [](const std::string& name) {
    std::string digits = name.substr(std::min(name.find_first_not_of('0'), name.size()));
    return std::pair(digits.size(), std::move(digits));
  });
  return sorted;
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

ImageFolderDataset::ImageFolderDataset(DatasetOptions options, ImageFolderOptions images,
                                       DatasetInfo info)
    : LabelledDataset(std::move(options), std::move(info)), images_(std::move(images)) {
  info_.sample_specs = {{.name = "image",
                         .shape = {static_cast<std::int64_t>(images_.height),
                                   static_cast<std::int64_t>(images_.width),
                                   static_cast<std::int64_t>(images_.channels)},
                         .layout = "NHWC"}};
  info_.class_names = images_.class_names;
  if (!images_.mean.empty()) info_.mean = images_.mean;
  if (!images_.stddev.empty()) info_.stddev = images_.stddev;
}

Result<> ImageFolderDataset::FindClasses(const std::vector<path>& parts) {
  if (!images_.class_names_file.empty()) {
    KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(images_.class_names_file, 16U << 20),
                             "class_names_file");
    for (const std::string& line : Lines(text)) {
      if (!line.empty()) info_.class_names.push_back(line);
    }
  }
  if (!info_.class_names.empty()) return {};
  std::set<std::string> names;
  for (const path& part : parts) {
    KENNING_ASSIGN_OR_RETURN(const std::vector<path> entries, Entries(part));
    for (const path& entry : entries) {
      if (IsFolder(entry)) names.insert(entry.filename().string());
    }
  }
  info_.class_names = SortedClasses(names);
  return {};
}

Result<std::int32_t> ImageFolderDataset::LabelOf(const std::string& text,
                                                 const std::string& where) const {
  const auto named = std::ranges::find(info_.class_names, text);
  if (named != info_.class_names.end()) {
    return static_cast<std::int32_t>(named - info_.class_names.begin());
  }
  std::int32_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (is_number && number >= 0 && static_cast<std::size_t>(number) < info_.class_names.size()) {
    return number;
  }
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{}: the label \"{}\" is {} the {} classes ({})", where, text,
                          is_number ? "out of the range of" : "not among", info_.class_names.size(),
                          Join(info_.class_names)));
}

Result<> ImageFolderDataset::AddFolder(const path& part, std::vector<SampleId>* ids) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<path> folders, Entries(part));
  for (const path& folder : folders) {
    if (!IsFolder(folder)) continue;
    KENNING_ASSIGN_OR_RETURN(const std::int32_t label,
                             LabelOf(folder.filename().string(), folder.string()));
    KENNING_ASSIGN_OR_RETURN(const std::vector<path> files, Entries(folder));
    for (const path& file : files) {
      if (!IsImageFile(file)) continue;
      if (ids != nullptr) ids->push_back(static_cast<SampleId>(files_.size()));
      files_.push_back(file);
      labels_.push_back(label);
    }
  }
  return {};
}

Result<> ImageFolderDataset::AddCsv() {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(images_.labels_csv, 1U << 30),
                           "labels_csv");
  std::vector<std::pair<std::string, std::string>> rows;
  std::set<std::string> names;
  int number = 0;
  for (const std::string& line : Lines(text)) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const std::size_t comma = line.find(',');
    const std::string file = line.substr(0, comma);
    const std::string label = comma == std::string::npos
                                  ? ""
                                  : line.substr(comma + 1, line.find(',', comma + 1) - comma - 1);
    if (file.empty() || label.empty()) {
      return Fail(ErrorCode::kInvalidData, fmt::format("{}:{}: \"path,label\" is expected",
                                                       images_.labels_csv.string(), number));
    }
    if (number == 1 && !IsImageFile(file)) continue;  // The header.
    rows.emplace_back(file, label);
    names.insert(rows.back().second);
  }
  if (info_.class_names.empty()) info_.class_names = SortedClasses(names);
  for (const auto& [file, name] : rows) {
    KENNING_ASSIGN_OR_RETURN(
        const std::int32_t label,
        LabelOf(name, fmt::format("{}: {}", images_.labels_csv.string(), file)));
    files_.push_back(options_.root / file);
    labels_.push_back(label);
  }
  return {};
}

Result<> ImageFolderDataset::Prepare(ProgressSink& progress, const CancelToken& cancel) {
  const path& root = options_.root;
  if (!IsFolder(root)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("dataset_root {} is not a folder; correct the path", root.string()));
  }
  if (!options_.checksum_file.empty()) {
    KENNING_RETURN_IF_ERROR(VerifyChecksums(options_.checksum_file, root, progress, cancel));
  }
  const bool divided = images_.labels_csv.empty() && IsFolder(root / "test");
  std::vector<path> parts = {root};
  if (divided) {
    parts = {root / "test"};
    for (const char* name : {"train", "val"}) {
      if (IsFolder(root / name)) parts.push_back(root / name);
    }
  }
  if (images_.labels_csv.empty() || !images_.class_names_file.empty()) {
    KENNING_RETURN_IF_ERROR(FindClasses(parts));
  }
  if (divided) {
    official_ = DatasetSplit{};
    for (const path& part : parts) {
      const std::string name = part.filename().string();
      std::vector<SampleId>& ids = name == "test"    ? official_->test
                                   : name == "train" ? official_->train
                                                     : official_->validation;
      KENNING_RETURN_IF_ERROR(AddFolder(part, &ids));
    }
  } else if (images_.labels_csv.empty()) {
    KENNING_RETURN_IF_ERROR(AddFolder(root, nullptr));
  } else {
    KENNING_RETURN_IF_ERROR(AddCsv());
  }
  if (files_.empty()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{} holds no PNG or JPEG image in folders named by class; give one "
                            "folder a class, or name a labels_csv",
                            root.string()));
  }
  if (!options_.external_calibration.empty()) {
    KENNING_ASSIGN_OR_RETURN(external_, FindImages(options_.external_calibration));
    external_count_ = external_.size();
  }
  return FinishPrepare(root.string());
}

Result<std::vector<Tensor>> ImageFolderDataset::Load(SampleId id) const {
  KENNING_RETURN_IF_ERROR(CheckId(id));
  const auto external = ExternalIndex(id);
  const path& file = external ? external_[*external] : files_[id];
  KENNING_ASSIGN_OR_RETURN(const Image image, ReadImage(file, images_.channels));
  std::vector<Tensor> sample(1);
  KENNING_ASSIGN_OR_RETURN(
      sample[0], ToTensor(image, images_.width, images_.height, images_.resize), file.string());
  return sample;
}

ParamSchema ImageFolderSchema() {
  const auto size = [](std::string name, std::string description, std::int64_t value) {
    return ParamSpec{.name = std::move(name),
                     .type = ParamType::kInt,
                     .description = std::move(description),
                     .default_value = ParamValue{value},
                     .minimum = 1,
                     .maximum = 16384};
  };
  return ParamSchema{
      {
          size("image_width", "Width of a sample in pixels.", 224),
          size("image_height", "Height of a sample in pixels.", 224),
          ParamSpec{.name = "image_channels",
                    .type = ParamType::kInt,
                    .description = "1 for grey, 3 for RGB.",
                    .default_value = ParamValue{std::int64_t{3}},
                    .minimum = 1,
                    .maximum = 3},
          ParamSpec{.name = "resize",
                    .type = ParamType::kString,
                    .description = "What becomes of images of another size: an error, scaled on "
                                   "each side, or scaled to cover and cropped to the middle.",
                    .default_value = ParamValue{std::string("none")},
                    .allowed = {"none", "stretch", "crop"}},
          ParamSpec{.name = "labels_csv",
                    .type = ParamType::kPath,
                    .description =
                        "Lines \"path,label\", paths below dataset_root, further columns "
                        "ignored; without it, folders name the classes.",
                    .default_value = ParamValue{},
                    .nullable = true},
          ParamSpec{.name = "class_names_file",
                    .type = ParamType::kPath,
                    .description = "Class names in order, one a line; without it, the names found "
                                   "are sorted, whole numbers by their value.",
                    .default_value = ParamValue{},
                    .nullable = true},
          ParamSpec{.name = "mean",
                    .type = ParamType::kFloatList,
                    .description = "Mean of each channel, of values 0..1.",
                    .default_value = ParamValue{},
                    .nullable = true},
          ParamSpec{.name = "std",
                    .type = ParamType::kFloatList,
                    .description = "Deviation of each channel, of values 0..1.",
                    .default_value = ParamValue{},
                    .nullable = true},
      }}
      .Extending(CommonDatasetSchema(true));
}

Result<std::unique_ptr<Dataset>> MakeImageFolder(const Params& params, BlockContext& /*context*/) {
  ImageFolderOptions images;
  images.width = static_cast<std::size_t>(params.Int("image_width"));
  images.height = static_cast<std::size_t>(params.Int("image_height"));
  images.channels = static_cast<std::size_t>(params.Int("image_channels"));
  if (images.channels == 2) {
    return Fail(ErrorCode::kInvalidScenario,
                "image_channels is 2; 1 (grey) or 3 (RGB) is expected");
  }
  const std::string& resize = params.String("resize");
  images.resize = resize == "none"      ? Resize::kNone
                  : resize == "stretch" ? Resize::kStretch
                                        : Resize::kCrop;
  if (params.Has("labels_csv")) images.labels_csv = params.String("labels_csv");
  if (params.Has("class_names_file")) images.class_names_file = params.String("class_names_file");
  images.mean = Floats(params, "mean");
  images.stddev = Floats(params, "std");
  DatasetInfo info;
  info.name = "ImageFolderDataset";
  info.task = "classification";
  return std::make_unique<ImageFolderDataset>(ReadDatasetOptions(params), std::move(images),
                                              std::move(info));
}

}  // namespace kenning
