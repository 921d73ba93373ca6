// SPDX-License-Identifier: Apache-2.0
/// \file
/// Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28x28, grey, 10 classes.
/// Xiao, Rasul, Vollgraf 2017, https://github.com/zalandoresearch/fashion-mnist (MIT).
#pragma once

#include <array>
#include <mutex>

#include "dataset_base.h"
#include "idx_file.h"

namespace kenning {

/// Ids 0..59999 are the training images, 60000..69999 the test images, in file order. Samples are
/// float32 [28, 28, 1] of 0..1. A file of images is read when one of its images is first loaded.
class FashionMnistDataset final : public LabelledDataset {
 public:
  FashionMnistDataset(DatasetOptions options, std::string base_url);
  Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) override;
  Result<std::vector<Tensor>> Load(SampleId id) const override;

 private:
  struct Part {
    std::filesystem::path images_path;
    std::size_t count = 0;
    mutable std::once_flag once;
    mutable Result<IdxFile> images = IdxFile{};
  };
  /// The folder that holds all four files; downloads them where allowed.
  Result<std::filesystem::path> FindFiles(ProgressSink& progress, const CancelToken& cancel) const;
  Result<> DownloadTo(const std::filesystem::path& folder, ProgressSink& progress,
                      const CancelToken& cancel) const;
  Result<const IdxFile*> Images(const Part& part) const;

  std::string base_url_;
  std::array<Part, 2> parts_;  ///< train, test.
  std::vector<std::filesystem::path> external_;
};

ParamSchema FashionMnistSchema();
Result<std::unique_ptr<Dataset>> MakeFashionMnist(const Params& params, BlockContext& context);

}  // namespace kenning
