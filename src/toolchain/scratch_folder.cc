// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <stdlib.h>

#include "kenning/toolchain/worker.h"

namespace kenning {

Result<ScratchFolder> ScratchFolder::Create() {
  std::error_code error;
  std::string pattern = (std::filesystem::temp_directory_path(error) / "kenning-XXXXXX").string();
  if (error || ::mkdtemp(pattern.data()) == nullptr) {
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot make a temporary folder", pattern));
  }
  return ScratchFolder(std::filesystem::path(pattern));
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept : path_(std::move(other.path_)) {
  other.path_.clear();
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace kenning
