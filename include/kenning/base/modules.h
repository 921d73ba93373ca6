// SPDX-License-Identifier: Apache-2.0
/// \file
/// Shared objects that are loaded when they are first needed: engines, and parts of the command.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

struct ModuleSearch {
  std::filesystem::path found;     ///< Empty: nowhere.
  std::vector<std::string> tried;  ///< Where it was not, in order.
};
/// Looks in $KENNING_ENGINE_PATH, beside the executable, and in ../lib/kenning.
ModuleSearch FindModule(std::string_view file_name);

/// Loads a module; it is never closed, as libraries keep threads and global state.
/// \return its handle for dlsym; kUnavailable with the loader's reason.
Result<void*> OpenModule(const std::filesystem::path& path);

/// Where files that come with kenning are ("models", "engines", …): $KENNING_RESOURCES, then
/// ../share/kenning from the executable. In a build tree the latter links to the sources.
std::vector<std::filesystem::path> ResourceFolders();

}  // namespace kenning
