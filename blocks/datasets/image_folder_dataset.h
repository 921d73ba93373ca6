// SPDX-License-Identifier: Apache-2.0
/// \file
/// ImageFolderDataset: PNG and JPEG files in a folder a class, or listed in a CSV file.
#pragma once

#include "dataset_base.h"
#include "image.h"

namespace kenning {

struct ImageFolderOptions {
  std::size_t width = 224;
  std::size_t height = 224;
  std::size_t channels = 3;
  Resize resize = Resize::kNone;
  std::filesystem::path labels_csv;      ///< Empty: folders name the classes.
  std::vector<std::string> class_names;  ///< Empty: the names found, sorted (numbers by value).
  std::filesystem::path class_names_file;
  std::vector<float> mean;
  std::vector<float> stddev;
};

/// Layouts: `<class>/…`, or `train/<class>/…`, `test/<class>/…` and optionally `val/<class>/…` (the
/// official split), or a CSV file with lines `path,label` (label: a class name or its number).
/// Samples are float32 [height, width, channels] of 0..1, decoded when loaded.
class ImageFolderDataset final : public LabelledDataset {
 public:
  ImageFolderDataset(DatasetOptions options, ImageFolderOptions images, DatasetInfo info);
  Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) override;
  Result<std::vector<Tensor>> Load(SampleId id) const override;

 private:
  Result<> FindClasses(const std::vector<std::filesystem::path>& parts);
  Result<> AddFolder(const std::filesystem::path& part, std::vector<SampleId>* ids);
  Result<> AddCsv();
  Result<std::int32_t> LabelOf(const std::string& text, const std::string& where) const;

  ImageFolderOptions images_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::filesystem::path> external_;
};

ParamSchema ImageFolderSchema();
Result<std::unique_ptr<Dataset>> MakeImageFolder(const Params& params, BlockContext& context);

}  // namespace kenning
