// SPDX-License-Identifier: Apache-2.0
/// \file
/// The border to `kenning_part_fetch.so`, which holds libcurl and libarchive so that the command
/// itself starts without them. Private to src/resource.
#pragma once

#include "resource/resource.h"

namespace kenning::internal {

/// Raised whenever a type below changes.
inline constexpr std::uint32_t kFetchPartAbiVersion = 1;

/// What the part's one C symbol, `kenning_part_fetch_entry`, returns (static storage).
struct FetchPart {
  std::uint32_t abi_version = kFetchPartAbiVersion;
  Result<> (*download)(const DownloadRequest& request, ProgressSink& progress,
                       const CancelToken& cancel) = nullptr;
  Result<> (*extract)(const std::filesystem::path& archive,
                      const std::filesystem::path& destination, std::uint64_t max_bytes,
                      ProgressSink& progress, const CancelToken& cancel) = nullptr;
};
using FetchPartEntry = const FetchPart* (*)();

}  // namespace kenning::internal
