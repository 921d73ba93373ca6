// SPDX-License-Identifier: Apache-2.0
/// \file
/// Landlock: which files a session's process may write, enforced by the kernel.
#pragma once

#include <filesystem>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::target {

struct FileRules {
  std::vector<std::filesystem::path> writable_folders;
  std::vector<std::filesystem::path> writable_files;
};

/// From now on and for good: everything may be read and run, only these be written; no TCP
/// connection be made or taken; no process outside be signalled (as far as the kernel's version
/// goes). \return the version of the kernel's Landlock; kUnsupported where it has none.
Result<int> RestrictFiles(const FileRules& rules);

}  // namespace kenning::target
