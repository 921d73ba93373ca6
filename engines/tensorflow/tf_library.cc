// SPDX-License-Identifier: Apache-2.0
#include "tf_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

#include "kenning/toolchain/toolchain.h"

namespace kenning::tensorflow {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFramework = "libtensorflow_framework.so.2";
// The first is in the Python package, the second in the C distribution.
constexpr std::array<const char*, 2> kLibraries = {"libtensorflow_cc.so.2", "libtensorflow.so.2"};

std::atomic<const TfApi*> loaded{nullptr};

bool HasLibrary(const fs::path& folder) {
  std::error_code ignored;
  for (const char* library : kLibraries) {
    if (fs::exists(folder / library, ignored)) return true;
  }
  return false;
}

Error LoaderError(const fs::path& file) {
  const char* reason = dlerror();
  return {ErrorCode::kUnavailable,
          fmt::format("{}: {}", file.string(), reason != nullptr ? reason : "cannot be loaded")};
}

/// While it lives, standard error goes to memory; then what is no note of TensorFlow's on the
/// machine is passed on. Loading prints such notes whatever the log level is.
class QuietLoading {
 public:
  QuietLoading() {
    std::fflush(stderr);
    memory_ = memfd_create("tensorflow-notes", MFD_CLOEXEC);
    saved_ = memory_ >= 0 ? fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    if (saved_ >= 0) dup2(memory_, STDERR_FILENO);
  }
  QuietLoading(const QuietLoading&) = delete;
  QuietLoading& operator=(const QuietLoading&) = delete;
  ~QuietLoading() {
    if (saved_ >= 0) {
      std::fflush(stderr);
      dup2(saved_, STDERR_FILENO);
      close(saved_);
      PassOn();
    }
    if (memory_ >= 0) close(memory_);
  }

 private:
  void PassOn() const {
    constexpr std::size_t kMost = std::size_t{1} << 20;
    std::string text(kMost, '\0');
    const ssize_t size = pread(memory_, text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
      const std::string line = text.substr(at, end - at);
      const bool note = line.starts_with("I0000 ") || line.starts_with("WARNING: All log messages");
      if (!note) std::fputs(line.c_str(), stderr);
      at = end;
    }
  }
  int memory_ = -1;
  int saved_ = -1;
};

/// Both libraries stay private to this engine: other engines may carry the same libraries inside
/// (Protocol Buffers, oneDNN) in other versions.
Result<void*> OpenLibraries(const fs::path& folder) {
  // Its own notes on the machine would mix with what kenning prints; the user's setting wins.
  const bool chosen = std::getenv("TF_CPP_MIN_LOG_LEVEL") != nullptr;
  setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0);
  const fs::path framework = folder / kFramework;
  {
    std::optional<QuietLoading> quiet;
    if (!chosen) quiet.emplace();
    if (dlopen(framework.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
      return tl::unexpected(LoaderError(framework));
    }
  }
  std::error_code ignored;
  for (const char* name : kLibraries) {
    const fs::path library = folder / name;
    if (!fs::exists(library, ignored)) continue;
    void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return tl::unexpected(LoaderError(library));
    return handle;
  }
  return Fail(ErrorCode::kUnavailable, folder.string() + ": no libtensorflow_cc.so.2");
}

template <typename Function>
void Bind(void* handle, const char* name, Function*& function, std::string& missing) {
  void* address = dlsym(handle, name);
  if (address == nullptr) missing += missing.empty() ? name : std::string(", ") + name;
  function = reinterpret_cast<Function*>(address);
}

Result<TfApi> BindAll(void* handle, const fs::path& folder) {
  TfApi api{};
  std::string missing;
#define KENNING_TF_BIND(name) Bind(handle, "TF_" #name, api.name, missing)
  KENNING_TF_BIND(Version);
  KENNING_TF_BIND(NewStatus);
  KENNING_TF_BIND(DeleteStatus);
  KENNING_TF_BIND(GetCode);
  KENNING_TF_BIND(Message);
  KENNING_TF_BIND(NewBuffer);
  KENNING_TF_BIND(DeleteBuffer);
  KENNING_TF_BIND(NewSessionOptions);
  KENNING_TF_BIND(DeleteSessionOptions);
  KENNING_TF_BIND(SetConfig);
  KENNING_TF_BIND(NewGraph);
  KENNING_TF_BIND(DeleteGraph);
  KENNING_TF_BIND(GraphOperationByName);
  KENNING_TF_BIND(OperationNumOutputs);
  KENNING_TF_BIND(OperationOutputType);
  KENNING_TF_BIND(LoadSessionFromSavedModel);
  KENNING_TF_BIND(CloseSession);
  KENNING_TF_BIND(DeleteSession);
  KENNING_TF_BIND(SessionRun);
  KENNING_TF_BIND(NewTensor);
  KENNING_TF_BIND(DeleteTensor);
  KENNING_TF_BIND(TensorType);
  KENNING_TF_BIND(NumDims);
  KENNING_TF_BIND(Dim);
  KENNING_TF_BIND(TensorByteSize);
  KENNING_TF_BIND(TensorData);
#undef KENNING_TF_BIND
  if (!missing.empty()) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("TensorFlow in {} lacks {}; version 2 is needed", folder.string(), missing));
  }
  return api;
}

Result<const TfApi*> Load() {
  KENNING_ASSIGN_OR_RETURN(const fs::path folder, FindTensorFlow());
  KENNING_ASSIGN_OR_RETURN(void* handle, OpenLibraries(folder), "loading TensorFlow");
  static TfApi api;
  KENNING_ASSIGN_OR_RETURN(api, BindAll(handle, folder));
  loaded = &api;
  return &api;
}

}  // namespace

Result<fs::path> FindTensorFlow() {
  if (const char* root = std::getenv("TENSORFLOW_ROOT"); root != nullptr && *root != '\0') {
    const fs::path given(root);
    for (const fs::path& folder : {given, given / "lib", given / "tensorflow"}) {
      if (HasLibrary(folder)) return folder;
    }
    return Fail(ErrorCode::kUnavailable,
                fmt::format("TENSORFLOW_ROOT={} holds no libtensorflow_cc.so.2", root));
  }
  KENNING_ASSIGN_OR_RETURN(const fs::path packages, ToolchainSitePackages("tensorflow"));
  if (HasLibrary(packages / "tensorflow")) return packages / "tensorflow";
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} holds no libtensorflow_cc.so.2; run: kenning toolchain remove "
                          "tensorflow, then: kenning toolchain install tensorflow",
                          (packages / "tensorflow").string()));
}

Result<const TfApi*> LoadTensorFlow() {
  // A failed load is tried anew: the toolchain may have been installed in between.
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (const TfApi* api = loaded) return api;
  return Load();
}

std::string LoadedVersion() {
  const TfApi* api = loaded;
  return api != nullptr ? api->Version() : "";
}

Error Status::ToError(const fs::path& file, ErrorCode fallback) const {
  ErrorCode code = fallback;
  switch (api_.GetCode(status_)) {
    case kTfResourceExhausted:
      code = ErrorCode::kResourceExhausted;
      break;
    case kTfUnimplemented:
      code = ErrorCode::kUnsupported;
      break;
    case kTfDataLoss:
      code = ErrorCode::kInvalidModel;
      break;
    default:
      break;
  }
  // The rest of a long message is a trace through the graph.
  std::string message = api_.Message(status_);
  constexpr std::size_t kMostMessage = 1000;
  if (message.size() > kMostMessage) message = message.substr(0, kMostMessage) + "…";
  return {code, fmt::format("{}: TensorFlow {}: {}", file.string(), api_.Version(), message)};
}

}  // namespace kenning::tensorflow
