// SPDX-License-Identifier: Apache-2.0
/// \file
/// PNG and JPEG files to float images. Headers are checked before memory is taken.
#pragma once

#include <filesystem>
#include <string>

#include "kenning/core/tensor.h"

namespace kenning {

/// Bytes in HWC order, 1 (grey) or 3 (RGB) channels; alpha is composed onto black.
struct Image {
  std::size_t width = 0;
  std::size_t height = 0;
  std::size_t channels = 0;
  std::vector<std::uint8_t> pixels;
};

/// Decodes by the file's first bytes, not its name. Exif rotation is not applied.
/// \return kNotFound, kInvalidData (corrupt or neither PNG nor JPEG), kResourceExhausted above
/// 100 million pixels.
Result<Image> ReadImage(const std::filesystem::path& path, std::size_t channels);

/// How an image of another size gets the wanted one.
enum class Resize {
  kNone,     ///< Not at all: another size is an error.
  kStretch,  ///< Both sides are scaled, whatever the aspect ratio.
  kCrop,     ///< Scaled until it covers the wanted size; the middle is kept.
};

/// Float32 HWC tensor of values 0..1. Scaling down averages over the covered area, scaling up is
/// bilinear (half-pixel centres). \return kInvalidData for another size with kNone.
Result<Tensor> ToTensor(const Image& image, std::size_t width, std::size_t height, Resize resize);

/// Whether the extension is .png, .jpg or .jpeg, in any case.
bool IsImageFile(const std::filesystem::path& path);

}  // namespace kenning
