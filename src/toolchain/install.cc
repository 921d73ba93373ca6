// SPDX-License-Identifier: Apache-2.0
// Making, checking and removing a toolchain's environment. Packages come through pip alone.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/log.h"
#include "kenning/base/strings.h"
#include "kenning/toolchain/toolchain.h"
#include "kenning/toolchain/worker.h"
#include "toolchain/layout.h"
#include "toolchain/lock_file.h"
#include "toolchain/process.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

constexpr double kProbeLimitS = 120;
constexpr double kPackageLimitS = 3600;
constexpr std::uint64_t kMostLockFile = 4U << 20;

/// One at a time makes a toolchain; others wait.
class Lock {
 public:
  static Result<Lock> Take(const fs::path& file, const CancelToken& cancel) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return Fail(ErrorCode::kIo, fmt::format("{}: cannot be made", file.string()));
    bool said = false;
    while (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      if (!said) LogInfo("waiting for another kenning that installs this toolchain");
      said = true;
      if (cancel.cancelled()) {
        ::close(fd);
        return Fail(ErrorCode::kCancelled, "interrupted");
      }
      ::usleep(200'000);
    }
    return Lock(fd);
  }
  Lock(Lock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Lock& operator=(Lock&&) = delete;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

class Installer {
 public:
  Installer(const ToolchainInfo& info, ScratchFolder scratch, ProgressSink& progress,
            const CancelToken& cancel)
      : info_(info),
        folder_(ToolchainFolder(info)),
        downloads_(ToolchainRoot() / "downloads" / folder_.filename()),
        scratch_(std::move(scratch)),
        progress_(progress),
        cancel_(cancel) {}

  Result<> Run() {
    KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(info_.lock_file, kMostLockFile));
    KENNING_ASSIGN_OR_RETURN(packages_, ParseLockFile(text, info_.lock_file.string()));
    KENNING_RETURN_IF_ERROR(CheckSpace());
    KENNING_RETURN_IF_ERROR(FindPython());
    KENNING_RETURN_IF_ERROR(DownloadAll());
    KENNING_RETURN_IF_ERROR(MakeEnvironment());
    KENNING_RETURN_IF_ERROR(ProveImports());
    KENNING_RETURN_IF_ERROR(WriteMark());
    std::error_code ignored;
    fs::remove_all(downloads_, ignored);
    return {};
  }

 private:
  /// \return the end of the log where the command fails.
  Result<> Command(std::vector<std::string> argv, double limit_s, ErrorCode code,
                   const std::string& what) {
    const fs::path log = scratch_.path() / "log";
    ProcessOptions options;
    options.argv = std::move(argv);
    options.environment = PythonEnvironment({"PIP_DISABLE_PIP_VERSION_CHECK=1"});
    options.folder = scratch_.path();
    options.log = log;
    options.time_limit_s = limit_s;
    KENNING_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(options, cancel_), what);
    switch (result.end) {
      case ProcessEnd::kExited:
        if (result.code == 0) return {};
        break;
      case ProcessEnd::kCancelled:
        return Fail(ErrorCode::kCancelled, "interrupted; what was downloaded is kept");
      case ProcessEnd::kTimedOut:
        return Fail(ErrorCode::kResourceExhausted,
                    fmt::format("{}: not done after {:.0f} s", what, limit_s));
      case ProcessEnd::kSignalled:
      case ProcessEnd::kOutOfMemory:
        break;
    }
    const std::string tail = LogTail(log, 12);
    const bool full = tail.find("No space left") != std::string::npos;
    return Fail(full ? ErrorCode::kResourceExhausted : code, fmt::format("{}:\n{}", what, tail));
  }

  Result<> CheckSpace() {
    std::error_code error;
    fs::create_directories(downloads_, error);
    const fs::space_info space = fs::space(downloads_, error);
    if (error) {
      return Fail(ErrorCode::kIo, fmt::format("{}: {}", downloads_.string(), error.message()));
    }
    const std::uint64_t needed = info_.download_bytes + info_.disk_bytes;
    if (space.available >= needed) return {};
    return Fail(
        ErrorCode::kResourceExhausted,
        fmt::format("{} has {} free, the toolchain needs {}; make room, or set "
                    "KENNING_TOOLCHAIN_DIR to another disk",
                    ToolchainRoot().string(), HumanBytes(space.available), HumanBytes(needed)));
  }

  /// A Python of a version that the lock serves, with pip.
  Result<> FindPython() {
    std::vector<std::string> candidates;
    if (const char* given = std::getenv("KENNING_PYTHON"); given != nullptr && *given != '\0') {
      candidates.emplace_back(given);
    }
    for (const std::string& version : info_.python_versions) {
      candidates.push_back("python" + version);
      candidates.push_back("/usr/bin/python" + version);
    }
    candidates.emplace_back("python3");
    candidates.emplace_back("/usr/bin/python3");
    const std::string script = fmt::format(
        "import sys, pip, venv; v = '%d.%d' % sys.version_info[:2]; sys.exit(v not in "
        "'{}'.split())",
        Join(info_.python_versions, " "));
    for (const std::string& candidate : candidates) {
      if (Command({candidate, "-c", script}, kProbeLimitS, ErrorCode::kUnavailable, candidate)) {
        python_ = candidate;
        return {};
      }
      if (cancel_.cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
    }
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the toolchain \"{}\" needs Python {} with pip, and none was found "
                            "(tried {}); install python3 and python3-pip, or set KENNING_PYTHON",
                            info_.name, Join(info_.python_versions, " or "), Join(candidates)));
  }

  Result<> DownloadAll() {
    progress_.Begin("downloading " + info_.name, packages_.size(), "packages");
    Result<> result;
    for (std::size_t i = 0; i < packages_.size() && result; ++i) {
      result = DownloadOne(packages_[i]);
      progress_.Update(i + 1);
    }
    progress_.End();
    return result;
  }

  Result<> DownloadOne(const LockedPackage& package) {
    const fs::path done =
        downloads_ / fmt::format("{}-{}.done", NormalPackageName(package.name), package.version);
    std::error_code ignored;
    if (fs::exists(done, ignored)) return {};
    const fs::path list = scratch_.path() / "one.txt";
    KENNING_RETURN_IF_ERROR(WriteFileAtomically(list, package.line + "\n"));
    // Into a folder of its own first: a file that broke off is never taken for a whole one.
    const fs::path part = downloads_ / "part";
    fs::remove_all(part, ignored);
    KENNING_RETURN_IF_ERROR(
        Command({python_, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
                 "--only-binary=:all:", "--dest", part.string(), "-r", list.string()},
                kPackageLimitS, ErrorCode::kIo,
                fmt::format("pip could not download {} {} (is there a network? run the command "
                            "again: it goes on from here)",
                            package.name, package.version)));
    for (const auto& file : fs::directory_iterator(part, ignored)) {
      fs::rename(file.path(), downloads_ / file.path().filename(), ignored);
    }
    fs::remove_all(part, ignored);
    return WriteFileAtomically(done, "");
  }

  Result<> MakeEnvironment() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);  // What an interrupted run left is not trusted.
    progress_.Begin("installing " + info_.name, 0, "");
    Result<> result = Command({python_, "-m", "venv", "--without-pip", folder_.string()},
                              kProbeLimitS, ErrorCode::kIo, "making the environment");
    if (result) {
      result =
          Command({python_, "-m", "pip", "--python", ToolchainPython(folder_).string(), "install",
                   "--quiet", "--no-index", "--find-links", downloads_.string(), "--no-deps",
                   "--require-hashes", "--only-binary=:all:", "-r", info_.lock_file.string()},
                  kPackageLimitS, ErrorCode::kInvalidData, "installing the packages");
    }
    progress_.End();
    return result;
  }

  Result<> ProveImports() {
    progress_.Begin("checking " + info_.name, info_.imports.size(), "imports");
    Result<> result;
    for (std::size_t i = 0; i < info_.imports.size() && result; ++i) {
      result =
          Command({ToolchainPython(folder_).string(), "-I", "-c", "import " + info_.imports[i]},
                  kProbeLimitS, ErrorCode::kEngineFailure,
                  fmt::format("the installed package {} does not load", info_.imports[i]));
      progress_.Update(i + 1);
    }
    progress_.End();
    return result;
  }

  Result<> WriteMark() {
    nlohmann::json mark = {
        {"name", info_.name}, {"lock_sha256", info_.lock_sha256}, {"installed_at", WallTimeUtc()}};
    for (const LockedPackage& package : packages_) mark["packages"][package.name] = package.version;
    return WriteFileAtomically(ToolchainMark(folder_), mark.dump(2) + "\n");
  }

  const ToolchainInfo& info_;
  fs::path folder_;
  fs::path downloads_;
  ScratchFolder scratch_;
  ProgressSink& progress_;
  const CancelToken& cancel_;
  std::string python_;
  std::vector<LockedPackage> packages_;
};

Result<std::string> RunPython(const ToolchainInfo& info, const std::string& script,
                              const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Create());
  ProcessOptions options;
  options.argv = {ToolchainPython(ToolchainFolder(info)).string(), "-I", "-c", script};
  options.environment = PythonEnvironment({});
  options.folder = scratch.path();
  options.log = scratch.path() / "log";
  options.time_limit_s = kProbeLimitS;
  KENNING_ASSIGN_OR_RETURN(const ProcessResult result, RunProcess(options, cancel));
  if (result.end == ProcessEnd::kExited && result.code == 0) {
    return ReadFile(options.log, kMostLockFile);
  }
  if (result.end == ProcessEnd::kCancelled) return Fail(ErrorCode::kCancelled, "interrupted");
  return Fail(ErrorCode::kEngineFailure, LogTail(options.log, 3));
}

}  // namespace

Result<> InstallToolchain(const ToolchainInfo& info, ProgressSink& progress,
                          const CancelToken& cancel) {
  std::error_code error;
  fs::create_directories(ToolchainRoot(), error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}; set KENNING_TOOLCHAIN_DIR to a folder that "
                                            "can be written",
                                            ToolchainRoot().string(), error.message()));
  }
  KENNING_ASSIGN_OR_RETURN(const Lock lock,
                           Lock::Take(ToolchainRoot() / ("." + info.name + ".lock"), cancel));
  if (ToolchainInstalled(info)) return {};
  KENNING_ASSIGN_OR_RETURN(ScratchFolder scratch, ScratchFolder::Create());
  return Installer(info, std::move(scratch), progress, cancel).Run();
}

Result<std::uint64_t> RemoveToolchain(const ToolchainInfo& info) {
  KENNING_ASSIGN_OR_RETURN(
      const Lock lock, Lock::Take(ToolchainRoot() / ("." + info.name + ".lock"), CancelToken{}));
  std::uint64_t freed = 0;
  std::error_code error;
  const fs::path folder = ToolchainFolder(info);
  for (const fs::path& place : {folder, ToolchainRoot() / "downloads" / folder.filename()}) {
    for (auto it = fs::recursive_directory_iterator(place, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      std::error_code ignored;
      if (it->is_regular_file(ignored) && !it->is_symlink(ignored)) {
        freed += it->file_size(ignored);
      }
    }
    fs::remove_all(place, error);
    if (error) return Fail(ErrorCode::kIo, fmt::format("{}: {}", place.string(), error.message()));
  }
  return freed;
}

Result<std::vector<std::string>> CheckToolchain(const ToolchainInfo& info,
                                                const CancelToken& cancel) {
  std::vector<std::string> findings;
  if (!ToolchainInstalled(info)) {
    findings.push_back(ToolchainMissing(info).message());
    return findings;
  }
  for (const std::string& module : info.imports) {
    const auto loaded = RunPython(info, "import " + module, cancel);
    if (!loaded && loaded.error().code() == ErrorCode::kCancelled) return Fail(loaded.error());
    if (!loaded) findings.push_back(fmt::format("{}: {}", module, loaded.error().message()));
  }
  KENNING_ASSIGN_OR_RETURN(const std::string lock, ReadFile(info.lock_file, kMostLockFile));
  KENNING_ASSIGN_OR_RETURN(const std::vector<LockedPackage> packages,
                           ParseLockFile(lock, info.lock_file.string()));
  const auto listing = RunPython(info,
                                 "import importlib.metadata as m, json; print(json.dumps({d.name: "
                                 "d.version for d in m.distributions()}))",
                                 cancel);
  if (!listing) {
    findings.push_back(listing.error().message());
    return findings;
  }
  const nlohmann::json found = nlohmann::json::parse(*listing, nullptr, false);
  std::map<std::string, std::string> versions;
  if (found.is_object()) {
    for (const auto& [name, version] : found.items()) {
      if (version.is_string()) versions[NormalPackageName(name)] = version.get<std::string>();
    }
  }
  for (const LockedPackage& package : packages) {
    const std::string& there = versions[NormalPackageName(package.name)];
    if (there == package.version) continue;
    findings.push_back(there.empty() ? fmt::format("{} is missing", package.name)
                                     : fmt::format("{} is {}, the lock says {}", package.name,
                                                   there, package.version));
  }
  return findings;
}

}  // namespace kenning
