// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/modules.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace kenning {
namespace {

std::vector<std::filesystem::path> SearchFolders() {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("KENNING_ENGINE_PATH"); given != nullptr) {
    std::string_view rest = given;
    while (!rest.empty()) {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const std::filesystem::path prefix = self.parent_path().parent_path();
    folders.push_back(self.parent_path());
    folders.push_back(prefix / "lib" / "kenning");
    folders.push_back(prefix / "lib" / "x86_64-linux-gnu" / "kenning");
    folders.push_back(prefix / "lib" / "aarch64-linux-gnu" / "kenning");
  }
  return folders;
}

}  // namespace

ModuleSearch FindModule(std::string_view file_name) {
  ModuleSearch search;
  for (const std::filesystem::path& folder : SearchFolders()) {
    const std::filesystem::path path = folder / file_name;
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) {
      search.found = path;
      break;
    }
    search.tried.push_back(path.string());
  }
  return search;
}

Result<void*> OpenModule(const std::filesystem::path& path) {
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return handle;
  const char* reason = ::dlerror();
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} cannot be loaded: {}", path.string(), reason ? reason : "unknown"));
}

std::vector<std::filesystem::path> ResourceFolders() {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("KENNING_RESOURCES"); given != nullptr && *given != '\0') {
    folders.emplace_back(given);
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) folders.push_back(self.parent_path().parent_path() / "share" / "kenning");
  return folders;
}

}  // namespace kenning
