// SPDX-License-Identifier: Apache-2.0
#include "trial.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace kenning::executorch_engine {
namespace {

constexpr unsigned kSeconds = 20;
constexpr std::array<int, 6> kCrashes = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

[[noreturn]] void RunChild(const std::function<void()>& work) {
  // The parent's handlers would report a crash as its own.
  for (const int signal : kCrashes) std::signal(signal, SIG_DFL);
  std::signal(SIGALRM, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::alarm(kSeconds);
  constexpr rlimit kNoCore = {0, 0};
  ::setrlimit(RLIMIT_CORE, &kNoCore);
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere >= 0) {
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
  }
  work();
  ::_exit(0);
}

}  // namespace

Result<> TryInChild(const std::filesystem::path& path, const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child < 0) return {};
  if (child == 0) RunChild(work);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return {};
  }
  // It took too long, or was ended by someone else.
  if (WIFSIGNALED(status) && std::ranges::find(kCrashes, WTERMSIG(status)) == kCrashes.end()) {
    return {};
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string how = WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status))
                                              : fmt::format("exit code {}", WEXITSTATUS(status));
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("{}: ExecuTorch crashes over this program ({}), as a trial in a process "
                          "of its own has shown; it is damaged, or needs what this build has not",
                          path.string(), how));
}

}  // namespace kenning::executorch_engine
