// SPDX-License-Identifier: Apache-2.0
/// \file
/// URIs, the cache (kenning/base/cache_dir.h says where it is), checksums, resumable downloads and
/// safe archive extraction.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/cache_dir.h"
#include "kenning/base/progress.h"
#include "kenning/base/result.h"

namespace kenning {

struct DownloadRequest {
  std::string url;
  std::filesystem::path destination;
  std::optional<std::string> sha256;  ///< Checked before the file gets its name.
  std::uint64_t max_bytes = std::uint64_t{64} << 30;
  int attempts = 4;             ///< In a row without a new byte; resumed with Range between them.
  double stall_timeout_s = 30;  ///< No byte for so long ends an attempt.
  double backoff_s = 1;         ///< Pause before the next attempt; doubles while nothing arrives.
};
/// Downloads to "<destination>.part", resumes where an earlier run stopped (only if the server says
/// that the file is still the same one, or a checksum is given), renames when whole. A second
/// process that wants the same file waits for the first. Libcurl is loaded on the first call.
/// \return kIo (network, with the URL and remedy), kNotFound (404, 410), kInvalidData (checksum),
/// kResourceExhausted (max_bytes, disk full), kCancelled, kUnavailable (the part is not installed).
Result<> Download(const DownloadRequest& request, ProgressSink& progress,
                  const CancelToken& cancel);

/// Local path of a URI: a plain path or file:// as it is; http(s):// through the cache;
/// kenning:///… below the project's resources folder ($KENNING_RESOURCES, beside the binary's
/// ../share/kenning, or the source tree).
Result<std::filesystem::path> ResolveUri(const std::string& uri, ProgressSink& progress,
                                         const CancelToken& cancel);

/// Extracts tar(.gz,.xz,.zst) or zip below `destination`. Entries that climb out, links and devices
/// are refused; more than `max_bytes` in all is refused before it is written.
Result<> ExtractArchive(const std::filesystem::path& archive,
                        const std::filesystem::path& destination, std::uint64_t max_bytes,
                        ProgressSink& progress, const CancelToken& cancel);

/// Whole gzip file in memory. \return kInvalidData, kResourceExhausted above max_bytes.
Result<std::string> ReadGzipFile(const std::filesystem::path& path, std::uint64_t max_bytes);

/// One file of the cache: a download, a part of a data set, or a model made from another. Packages
/// of scripts/fetch-deps, which may lie in the same folder, are neither listed nor cleared.
struct CacheEntry {
  std::filesystem::path path;
  std::uint64_t size_bytes = 0;
};
std::vector<CacheEntry> ListCache();
Result<std::uint64_t> ClearCache();  ///< Bytes freed.

}  // namespace kenning
