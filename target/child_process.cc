// SPDX-License-Identifier: Apache-2.0
#include "child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <string>

#include "transport/unique_fd.h"

namespace kenning::target {
namespace {

void CloseRange(unsigned first, unsigned last) {
  if (first > last) return;
  if (::syscall(SYS_close_range, first, last, 0) == 0) return;
  // Before Linux 5.9, and under emulators. Collected first: the list has a descriptor itself.
  std::vector<unsigned> open;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", error)) {
    const std::string name = entry.path().filename().string();
    unsigned fd = 0;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    if (fd >= first && fd <= last) open.push_back(fd);
  }
  for (const unsigned fd : open) ::close(static_cast<int>(fd));
}

std::string ReadAll(int fd) {
  std::string text;
  std::array<char, 1024> chunk;
  for (;;) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got > 0) text.append(chunk.data(), static_cast<std::size_t>(got));
    if (got == 0 || (got < 0 && errno != EINTR)) return text;
  }
}

}  // namespace

void BecomeChild(std::vector<int> keep, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::setpgid(0, 0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::ranges::sort(keep);
  unsigned next = STDERR_FILENO + 1;
  for (const int fd : keep) {
    if (fd < static_cast<int>(next)) continue;
    CloseRange(next, static_cast<unsigned>(fd) - 1);
    next = static_cast<unsigned>(fd) + 1;
  }
  CloseRange(next, ~0U);
}

Result<> CheckInChild(const std::function<Result<>()>& check) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) return check();
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return check();
  if (pid == 0) {
    const Result<> done = check();
    if (!done) {
      // The first byte is the code; the rest the message.
      std::string text(1, static_cast<char>(done.error().code()));
      text += done.error().ToString();
      const ssize_t written = ::write(writing.get(), text.data(), text.size());
      static_cast<void>(written);
    }
    ::_exit(done ? 0 : 1);
  }
  writing.reset();
  const std::string text = ReadAll(reading.get());
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (text.empty()) return Fail(ErrorCode::kInternal, "a check ended without a word");
  return Fail(static_cast<ErrorCode>(text[0]), text.substr(1));
}

}  // namespace kenning::target
