// SPDX-License-Identifier: Apache-2.0
/// \file
/// CIFAR-10: 50,000 training and 10,000 test images, 32x32, RGB, 10 classes.
/// Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
#pragma once

#include "dataset_base.h"

namespace kenning {

/// The binary layout (test_batch.bin, data_batch_1.bin … data_batch_5.bin). Ids count the test file
/// first, then the training files in their order: a test sample has the same id whether the
/// training files are there or not. The last training files may be missing, one in between may not:
/// the ids after it would shift. Samples are float32 [32, 32, 3] of 0..1, read one by one.
class Cifar10Binary final : public LabelledDataset {
 public:
  Cifar10Binary(DatasetOptions options, std::string url);
  Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) override;
  Result<std::vector<Tensor>> Load(SampleId id) const override;

 private:
  Result<std::filesystem::path> FindFiles(ProgressSink& progress, const CancelToken& cancel) const;
  Result<> ReadLabels(const std::filesystem::path& path, std::vector<SampleId>& ids);

  struct Place {
    std::uint32_t file;
    std::uint32_t row;
  };
  std::string url_;
  std::vector<std::filesystem::path> files_;
  std::vector<Place> places_;
  std::vector<std::filesystem::path> external_;
};

ParamSchema Cifar10Schema();
/// The binary layout, or, where `dataset_root` has folders train/ and test/ with a folder a class,
/// the image-folder layout.
Result<std::unique_ptr<Dataset>> MakeCifar10(const Params& params, BlockContext& context);

}  // namespace kenning
