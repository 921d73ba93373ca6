// SPDX-License-Identifier: Apache-2.0
#include "toolchain/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"

extern char** environ;

namespace kenning {
namespace {

constexpr int kPollMs = 50;
constexpr std::int64_t kMemoryCheckNs = 250'000'000;
constexpr int kNoProgram = 127;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { Close(); }
  int get() const { return fd_; }
  void Close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

/// What the child needs, made before fork: only async-signal-safe calls are allowed after it.
struct Prepared {
  std::vector<char*> argv;
  std::vector<char*> environment;
  const char* folder = nullptr;
  int log = -1;
  int progress = -1;
  pid_t parent = 0;
};

[[noreturn]] void RunChild(const Prepared& child) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != child.parent) ::_exit(kNoProgram);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(child.log, 1) < 0 || ::dup2(child.log, 2) < 0) {
    ::_exit(kNoProgram);
  }
  ::fcntl(child.progress, F_SETFD, 0);
  if (::chdir(child.folder) != 0) ::_exit(kNoProgram);
  environ = const_cast<char**>(child.environment.data());
  ::execvp(child.argv[0], child.argv.data());
  ::_exit(kNoProgram);
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

/// Resident bytes of all processes of a group, from /proc.
std::uint64_t GroupResidentBytes(pid_t group) {
  std::uint64_t pages = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    if (name.empty() || name[0] < '0' || name[0] > '9') continue;
    std::ifstream stat(entry.path() / "stat");
    std::string line;
    if (!std::getline(stat, line)) continue;
    // The command's name, in parentheses, may hold anything.
    const std::size_t after = line.rfind(')');
    if (after == std::string::npos) continue;
    int parent = 0;
    int pgrp = 0;
    char state = 0;
    if (std::sscanf(line.c_str() + after + 1, " %c %d %d", &state, &parent, &pgrp) != 3) continue;
    if (pgrp != group) continue;
    std::ifstream statm(entry.path() / "statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    if (statm >> total >> resident) pages += resident;
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Watch {
 public:
  Watch(const ProcessOptions& options, pid_t child, int progress)
      : options_(options), child_(child), progress_(progress), begun_ns_(MonotonicNowNs()) {}

  ProcessResult Run(const CancelToken& cancel) {
    int status = 0;
    for (;;) {
      ReadProgress();
      if (::waitpid(child_, &status, WNOHANG) == child_) break;
      if (const auto end = Limit(cancel)) {
        ::kill(-child_, SIGKILL);
        ::waitpid(child_, &status, 0);
        result_.end = *end;
        return result_;
      }
    }
    ReadProgress();
    // What the child itself started must not live on.
    ::kill(-child_, SIGKILL);
    if (WIFSIGNALED(status)) {
      result_.end = ProcessEnd::kSignalled;
      result_.code = WTERMSIG(status);
    } else {
      result_.code = WEXITSTATUS(status);
    }
    return result_;
  }

 private:
  std::optional<ProcessEnd> Limit(const CancelToken& cancel) {
    if (cancel.cancelled()) return ProcessEnd::kCancelled;
    const std::int64_t now = MonotonicNowNs();
    if (static_cast<double>(now - begun_ns_) * 1e-9 > options_.time_limit_s) {
      return ProcessEnd::kTimedOut;
    }
    if (now - memory_checked_ns_ < kMemoryCheckNs) return {};
    memory_checked_ns_ = now;
    const std::uint64_t resident = GroupResidentBytes(child_);
    result_.peak_resident_bytes = std::max(result_.peak_resident_bytes, resident);
    if (options_.memory_limit_bytes > 0 && resident > options_.memory_limit_bytes) {
      return ProcessEnd::kOutOfMemory;
    }
    return {};
  }

  /// Waits a little for a line; a line without an end is not kept beyond 64 kB.
  void ReadProgress() {
    pollfd wait{progress_, POLLIN, 0};
    if (closed_ || ::poll(&wait, 1, kPollMs) <= 0) {
      if (closed_) ::poll(nullptr, 0, kPollMs);
      return;
    }
    char bytes[4096];
    const ssize_t got = ::read(progress_, bytes, sizeof bytes);
    if (got <= 0) {
      closed_ = got == 0 || (errno != EINTR && errno != EAGAIN);
      return;
    }
    pending_.append(bytes, static_cast<std::size_t>(got));
    for (std::size_t end = pending_.find('\n'); end != std::string::npos;
         end = pending_.find('\n')) {
      if (options_.on_progress) options_.on_progress(std::string_view(pending_).substr(0, end));
      pending_.erase(0, end + 1);
    }
    if (pending_.size() > 65536) pending_.clear();
  }

  const ProcessOptions& options_;
  pid_t child_;
  int progress_;
  std::int64_t begun_ns_;
  std::int64_t memory_checked_ns_ = 0;
  bool closed_ = false;
  std::string pending_;
  ProcessResult result_;
};

}  // namespace

Result<ProcessResult> RunProcess(const ProcessOptions& options, const CancelToken& cancel) {
  const Descriptor log(
      ::open(options.log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0600));
  int pipe_ends[2];
  if (log.get() < 0 || ::pipe2(pipe_ends, O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot start {}: {}", options.log.string(),
                                            options.argv[0], std::strerror(errno)));
  }
  const Descriptor read_end(pipe_ends[0]);
  Descriptor write_end(pipe_ends[1]);
  std::vector<std::string> environment = options.environment;
  environment.push_back(fmt::format("KENNING_PROGRESS_FD={}", write_end.get()));
  const Prepared prepared{Pointers(options.argv), Pointers(environment),
                          options.folder.c_str(), log.get(),
                          write_end.get(),        ::getpid()};
  const pid_t child = ::fork();
  if (child < 0) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("cannot start {}: {}", options.argv[0], std::strerror(errno)));
  }
  if (child == 0) RunChild(prepared);
  ::setpgid(child, child);
  write_end.Close();
  const ProcessResult result = Watch(options, child, read_end.get()).Run(cancel);
  if (result.end == ProcessEnd::kExited && result.code == kNoProgram) {
    return Fail(ErrorCode::kNotFound, fmt::format("{} cannot be started", options.argv[0]));
  }
  return result;
}

std::string LogTail(const std::filesystem::path& log, int lines) {
  std::ifstream file(log, std::ios::binary);
  if (!file) return "";
  constexpr std::streamoff kMost = 4000;
  file.seekg(0, std::ios::end);
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kMost));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::size_t start = text.size();
  for (int i = 0; i < lines && start != std::string::npos && start > 0; ++i) {
    start = text.rfind('\n', start - 1);
  }
  return start == std::string::npos || start == 0 ? text : text.substr(start + 1);
}

std::vector<std::string> PythonEnvironment(const std::vector<std::string>& extra) {
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const bool astray = text.starts_with("PYTHON") || text.starts_with("VIRTUAL_ENV=") ||
                        text.starts_with("PIP_TARGET=") || text.starts_with("PIP_USER=") ||
                        text.starts_with("PIP_PREFIX=") || text.starts_with("PIP_REQUIRE_");
    if (!astray) environment.emplace_back(text);
  }
  environment.emplace_back("PYTHONNOUSERSITE=1");
  environment.emplace_back("PYTHONUNBUFFERED=1");
  environment.insert(environment.end(), extra.begin(), extra.end());
  return environment;
}

}  // namespace kenning
