// SPDX-License-Identifier: Apache-2.0
#include "external_images.h"

#include <fmt/format.h>

#include <algorithm>

#include "image.h"

namespace kenning {

Result<std::vector<std::filesystem::path>> FindImages(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::is_directory(folder, error)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("external_calibration_dataset: {} is not a folder", folder.string()));
  }
  std::vector<std::filesystem::path> files;
  std::filesystem::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
      continue;
    }
    if (entry->is_regular_file(error) && IsImageFile(entry->path())) files.push_back(entry->path());
  }
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", folder.string(), error.message()));
  }
  if (files.empty()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("external_calibration_dataset: {} holds no PNG or JPEG image",
                            folder.string()));
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace kenning
