// SPDX-License-Identifier: Apache-2.0
/// \file
/// Verifies a data set against a list of checksums.
#pragma once

#include <filesystem>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"

namespace kenning {

/// `list` has lines "<sha256>  <path>", as sha256sum writes them; paths are relative to `root` and
/// may not leave it. \return kNotFound, kInvalidData naming the line, or the file that differs.
Result<> VerifyChecksums(const std::filesystem::path& list, const std::filesystem::path& root,
                         ProgressSink& progress, const CancelToken& cancel);

}  // namespace kenning
