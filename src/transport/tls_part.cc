// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_part.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <mutex>

#include "kenning/base/modules.h"
#include "kenning/base/strings.h"
#include "transport/tls_abi.h"

namespace kenning {
namespace {

constexpr const char* kPartFile = "kenning_part_tls.so";

Result<const internal::TlsPart*> OpenPart() {
  const ModuleSearch search = FindModule(kPartFile);
  if (search.found.empty()) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("TLS needs {}, which is not installed; looked for {}", kPartFile,
                            Join(search.tried)));
  }
  KENNING_ASSIGN_OR_RETURN(void* const handle, OpenModule(search.found));
  const auto entry =
      reinterpret_cast<internal::TlsPartEntry>(::dlsym(handle, "kenning_part_tls_entry"));
  if (entry == nullptr || entry()->abi_version != internal::kTlsPartAbiVersion) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} comes from another build of kenning; install both together",
                            search.found.string()));
  }
  return entry();
}

Result<const internal::TlsPart*> LoadPart() {
  static std::mutex mutex;
  static const internal::TlsPart* loaded = nullptr;
  const std::lock_guard lock(mutex);
  if (loaded == nullptr) {
    KENNING_ASSIGN_OR_RETURN(loaded, OpenPart());
  }
  return loaded;
}

}  // namespace

Result<std::unique_ptr<TlsChannel>> TlsConnect(std::unique_ptr<Channel> channel,
                                               const TlsSettings& settings, Deadline deadline) {
  KENNING_ASSIGN_OR_RETURN(const internal::TlsPart* part, LoadPart());
  return part->connect(std::move(channel), settings, deadline);
}

Result<std::unique_ptr<TlsChannel>> TlsAccept(std::unique_ptr<Channel> channel,
                                              const TlsSettings& settings, Deadline deadline) {
  KENNING_ASSIGN_OR_RETURN(const internal::TlsPart* part, LoadPart());
  return part->accept(std::move(channel), settings, deadline);
}

Result<> CheckTlsServerFiles(const TlsSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(const internal::TlsPart* part, LoadPart());
  return part->check_server_files(settings);
}

}  // namespace kenning
