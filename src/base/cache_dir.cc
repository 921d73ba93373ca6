// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/cache_dir.h"

#include <cstdlib>
#include <system_error>

namespace kenning {
namespace {

const char* NonEmptyEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

std::filesystem::path CacheDir() {
  if (const char* given = NonEmptyEnvironment("KENNING_CACHE_DIR")) return given;
  if (const char* xdg = NonEmptyEnvironment("XDG_CACHE_HOME")) {
    return std::filesystem::path(xdg) / "kenning";
  }
  if (const char* home = NonEmptyEnvironment("HOME")) {
    return std::filesystem::path(home) / ".cache" / "kenning";
  }
  std::error_code ignored;
  return std::filesystem::temp_directory_path(ignored) / "kenning-cache";
}

}  // namespace kenning
