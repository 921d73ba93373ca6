// SPDX-License-Identifier: Apache-2.0
/// \file
/// The Oxford-IIIT Pet data set: 7,349 photographs of 37 breeds of cats and dogs.
/// Parkhi et al. 2012, https://www.robots.ox.ac.uk/~vgg/data/pets.
#pragma once

#include "dataset_base.h"

namespace kenning {

struct PetOptions {
  bool by_species = false;  ///< cat and dog instead of breeds.
  bool nchw = false;        ///< Samples as [3, 224, 224] instead of [224, 224, 3].
  std::string url;          ///< Folder of images.tar.gz and annotations.tar.gz.
};

/// Reads images/<name>.jpg as annotations/list.txt lists them: ids are its rows. Samples are
/// float32 of 0..1, 224 x 224, stretched, and decoded one by one; mean and deviation are those of
/// ImageNet, which Kenning uses for this data set. annotations/trainval.txt and test.txt are the
/// official split. The classes are known after Prepare, as the names of the breeds are those of the
/// files.
class PetDataset final : public LabelledDataset {
 public:
  PetDataset(DatasetOptions options, PetOptions pet);
  Result<> Prepare(ProgressSink& progress, const CancelToken& cancel) override;
  Result<std::vector<Tensor>> Load(SampleId id) const override;

 private:
  Result<> Fetch(const std::filesystem::path& root, ProgressSink& progress,
                 const CancelToken& cancel) const;
  Result<> ReadList(const std::filesystem::path& root);
  Result<> ReadOfficialSplit(const std::filesystem::path& root);

  PetOptions pet_;
  std::filesystem::path images_;
  std::vector<std::string> names_;  ///< By id.
  std::vector<std::filesystem::path> external_;
};

ParamSchema PetSchema();
Result<std::unique_ptr<Dataset>> MakePetDataset(const Params& params, BlockContext& context);

}  // namespace kenning
