// SPDX-License-Identifier: Apache-2.0
#include "resource/fetch_part.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <mutex>

#include "kenning/base/modules.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr const char* kPartFile = "kenning_part_fetch.so";

Result<const internal::FetchPart*> OpenPart() {
  const ModuleSearch search = FindModule(kPartFile);
  if (search.found.empty()) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("downloads and archives need {}, which is not installed; looked for {}",
                            kPartFile, Join(search.tried)));
  }
  KENNING_ASSIGN_OR_RETURN(void* const handle, OpenModule(search.found));
  const auto entry =
      reinterpret_cast<internal::FetchPartEntry>(::dlsym(handle, "kenning_part_fetch_entry"));
  if (entry == nullptr || entry()->abi_version != internal::kFetchPartAbiVersion) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} comes from another build of kenning; install both together",
                            search.found.string()));
  }
  return entry();
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
