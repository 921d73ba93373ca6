// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <system_error>

#include "resource/resource.h"

namespace kenning {
namespace {

// Packages of scripts/fetch-deps lie beside these and belong to the build, not to the cache.
constexpr std::array<const char*, 3> kOwnFolders = {"datasets", "downloads", "models"};

}  // namespace

std::vector<CacheEntry> ListCache() {
  std::vector<CacheEntry> entries;
  for (const char* folder : kOwnFolders) {
    std::error_code error;
    std::filesystem::recursive_directory_iterator it(CacheDir() / folder, error);
    for (; !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
      std::error_code ignored;
      if (it->is_symlink(ignored) || !it->is_regular_file(ignored)) continue;
      const std::uint64_t size = it->file_size(ignored);
      entries.push_back({it->path(), ignored ? 0 : size});
    }
  }
  std::ranges::sort(entries, {}, &CacheEntry::path);
  return entries;
}

Result<std::uint64_t> ClearCache() {
  std::uint64_t freed = 0;
  for (const CacheEntry& entry : ListCache()) freed += entry.size_bytes;
  for (const char* folder : kOwnFolders) {
    std::error_code error;
    std::filesystem::remove_all(CacheDir() / folder, error);
    if (error) {
      return Fail(ErrorCode::kIo, fmt::format("{}: {} (clearing the cache)",
                                              (CacheDir() / folder).string(), error.message()));
    }
  }
  return freed;
}

}  // namespace kenning
