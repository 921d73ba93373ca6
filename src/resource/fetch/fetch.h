// SPDX-License-Identifier: Apache-2.0
/// \file
/// The functions of `kenning_part_fetch.so`. Contracts: resource/resource.h.
#pragma once

#include "resource/resource.h"

namespace kenning::internal {

Result<> DownloadWithCurl(const DownloadRequest& request, ProgressSink& progress,
                          const CancelToken& cancel);
Result<> ExtractWithLibarchive(const std::filesystem::path& archive,
                               const std::filesystem::path& destination, std::uint64_t max_bytes,
                               ProgressSink& progress, const CancelToken& cancel);

}  // namespace kenning::internal
