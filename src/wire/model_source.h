// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model's bytes as they are sent: a file as it is, a folder as a tar archive. Never in memory as
/// a whole.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/tar.h"
#include "kenning/base/progress.h"
#include "kenning/base/result.h"

namespace kenning::wire {

class ModelSource {
 public:
  /// \return kNotFound, kIo, and what TarOfTree::Create gives.
  static Result<ModelSource> Open(const std::filesystem::path& path);

  bool folder() const { return tar_.has_value(); }
  std::uint64_t size_bytes() const { return size_; }
  /// Fills `out` from `offset`. \return kIo, kInvalidData where the file changed its size.
  Result<> Read(std::uint64_t offset, std::span<std::byte> out);
  /// Of all bytes; reads them. `cancel` may be null. \return as Read, kCancelled.
  Result<std::string> Sha256Digits(const CancelToken* cancel);

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  ModelSource() = default;
  std::filesystem::path path_;
  std::optional<TarOfTree> tar_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::uint64_t size_ = 0;
};

}  // namespace kenning::wire
