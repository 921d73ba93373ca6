// SPDX-License-Identifier: Apache-2.0
#include "cifar10_dataset.h"
#include "fashion_mnist_dataset.h"
#include "image_folder_dataset.h"
#include "kenning/base/check.h"
#include "magic_wand_dataset.h"
#include "pet_dataset.h"
#include "randomized_dataset.h"

namespace kenning {
namespace {

void Add(Registry& registry, std::string name, std::vector<std::string> aliases,
         std::string summary, ParamSchema schema, DatasetFactory make) {
  BlockInfo info;
  info.category = BlockCategory::kDataset;
  info.name = std::move(name);
  info.aliases = std::move(aliases);
  info.summary = std::move(summary);
  info.schema = std::move(schema);
  info.make_dataset = std::move(make);
  KENNING_CHECK(registry.Add(std::move(info)).has_value());
}

}  // namespace

void RegisterDatasets(Registry& registry) {
  Add(registry, "FashionMNISTDataset", {},
      "70,000 grey images of clothes in 10 classes (Debian: dataset-fashion-mnist).",
      FashionMnistSchema(), MakeFashionMnist);
  Add(registry, "CIFAR10Dataset", {}, "60,000 colour images, 32 x 32, in 10 classes.",
      Cifar10Schema(), MakeCifar10);
  Add(registry, "ImageFolderDataset", {}, "PNG and JPEG files, one folder a class, or a CSV list.",
      ImageFolderSchema(), MakeImageFolder);
  Add(registry, "RandomizedClassificationDataset",
      {"kenning.datasets.random_dataset.RandomizedClassificationDataset"},
      "Noise of any shape, for speed without data.", RandomizedClassificationSchema(),
      MakeRandomizedClassification);
  Add(registry, "MagicWandDataset", {"kenning.datasets.magic_wand_dataset.MagicWandDataset"},
      "Gestures as windows of accelerometer readings.", MagicWandDatasetSchema(),
      MakeMagicWandDataset);
  Add(registry, "PetDataset", {"kenning.datasets.pet_dataset.PetDataset"},
      "The Oxford-IIIT Pet data set: 7,349 photographs of cats and dogs in 37 breeds.", PetSchema(),
      MakePetDataset);
}

}  // namespace kenning
