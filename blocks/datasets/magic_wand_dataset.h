// SPDX-License-Identifier: Apache-2.0
/// \file
/// MagicWandDataset: gestures (wing, ring, slope, negative) recorded by an accelerometer.
/// Layout: dataset_root/<gesture>/output_*.txt, as published with TensorFlow's micro examples.
#pragma once

#include "dataset_base.h"
#include "magic_wand_file.h"

namespace kenning {

struct MagicWandOptions {
  std::size_t window_size = 128;
  std::size_t window_shift = 128;
  int noise_level = 20;
  std::string url;  ///< Of the archive to download.
};

/// Samples are float32 [window_size, 3] in milli-g. The windows of one recording are never divided
/// between the parts of a split: they may overlap.
class MagicWandDataset final : public LabelledDataset {
 public:
  MagicWandDataset(DatasetOptions options, MagicWandOptions wand);
  Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) override;
  Result<std::vector<Tensor>> Load(SampleId id) const override;

 private:
  Result<> Fetch(ProgressSink& progress, const CancelToken& cancel) const;
  /// Appends the windows of all files of `folder`.
  Result<> AddFolder(const std::filesystem::path& folder);

  MagicWandOptions wand_;
  std::uint32_t recordings_ = 0;    ///< Read so far.
  std::vector<Recording> windows_;  ///< Own samples, then external calibration.
};

ParamSchema MagicWandDatasetSchema();
Result<std::unique_ptr<Dataset>> MakeMagicWandDataset(const Params& params, BlockContext& context);

}  // namespace kenning
