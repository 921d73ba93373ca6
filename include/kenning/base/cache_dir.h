// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where files go that can be made or fetched again.
#pragma once

#include <filesystem>

namespace kenning {

/// $KENNING_CACHE_DIR, else $XDG_CACHE_HOME/kenning, else ~/.cache/kenning. Folders in it:
/// "datasets", "downloads", and "models" for models in another format than the user's own file.
std::filesystem::path CacheDir();

}  // namespace kenning
