// SPDX-License-Identifier: Apache-2.0
#include "resource/fetch_part.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <string_view>

#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr const char* kPartFile = "kenning_part_fetch.so";

/// The same places as for engines.
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

Result<const internal::FetchPart*> OpenPart() {
  std::vector<std::string> tried;
  for (const std::filesystem::path& folder : SearchFolders()) {
    const std::filesystem::path path = folder / kPartFile;
    tried.push_back(path.string());
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    // Never closed: libcurl keeps global state.
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* reason = ::dlerror();
      return Fail(ErrorCode::kUnavailable, fmt::format("{} cannot be loaded: {}", path.string(),
                                                       reason ? reason : "unknown"));
    }
    const auto entry =
        reinterpret_cast<internal::FetchPartEntry>(::dlsym(handle, "kenning_part_fetch_entry"));
    if (entry == nullptr || entry()->abi_version != internal::kFetchPartAbiVersion) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{} comes from another build of kenning; install both together",
                              path.string()));
    }
    return entry();
  }
  return Fail(ErrorCode::kUnavailable,
              fmt::format("downloads and archives need {}, which is not installed; looked for {}",
                          kPartFile, Join(tried)));
}

Result<const internal::FetchPart*> LoadPart() {
  static std::mutex mutex;
  static const internal::FetchPart* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    KENNING_ASSIGN_OR_RETURN(loaded, OpenPart());
  }
  return loaded;
}

}  // namespace

Result<> Download(const DownloadRequest& request, ProgressSink& progress,
                  const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const internal::FetchPart* part, LoadPart());
  return part->download(request, progress, cancel);
}

Result<> ExtractArchive(const std::filesystem::path& archive,
                        const std::filesystem::path& destination, std::uint64_t max_bytes,
                        ProgressSink& progress, const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const internal::FetchPart* part, LoadPart());
  return part->extract(archive, destination, max_bytes, progress, cancel);
}

}  // namespace kenning
