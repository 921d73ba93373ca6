// SPDX-License-Identifier: Apache-2.0
/// \file
/// The unfinished file of a download, with what is needed to go on with it later.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"

namespace kenning::internal {

/// "<destination>.part" under an exclusive lock, and "<destination>.part.from": the URL and the
/// server's validator (ETag or Last-Modified) that its bytes belong to. Both stay when the object
/// goes, unless Commit or Discard was called. Not thread-safe.
class PartFile {
 public:
  /// Waits while another process holds the lock. \return kCancelled, kIo, kResourceExhausted.
  static Result<PartFile> Open(const std::filesystem::path& destination, const std::string& url,
                               const CancelToken& cancel);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  /// What the bytes so far belong to; empty where the server gave nothing.
  const std::string& validator() const { return validator_; }
  /// The wait for the lock ended because the other process finished the file.
  bool finished_elsewhere() const { return finished_elsewhere_; }

  Result<> Append(std::string_view bytes);
  /// Drops the bytes so far and notes whose bytes come next.
  Result<> Restart(const std::string& validator);
  /// Flushes to disk and renames over the destination.
  Result<> Commit();
  void Discard();

 private:
  PartFile(std::filesystem::path destination, std::string url);
  Result<> Lock(const CancelToken& cancel);
  void ReadOrigin();
  Error WriteError(int error_number);

  std::filesystem::path destination_;
  std::filesystem::path path_;
  std::filesystem::path origin_path_;
  std::string url_;
  std::string validator_;
  std::uint64_t size_ = 0;
  int fd_ = -1;
  bool finished_elsewhere_ = false;
};

}  // namespace kenning::internal
