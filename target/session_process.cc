// SPDX-License-Identifier: Apache-2.0
#include "session_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "kenning/base/clock.h"
#include "kenning/base/log.h"
#include "kenning/base/strings.h"
#include "session_worker.h"

namespace kenning::target {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr double kTellTime_s = 2;

bool IsLoading(std::uint64_t type) {
  using wire::MessageType;
  using wire::NativeType;
  for (const auto legacy : {MessageType::kModel, MessageType::kUnoptimizedModel,
                            MessageType::kOptimizeModel, MessageType::kRuntime}) {
    if (type == static_cast<std::uint64_t>(legacy)) return true;
  }
  for (const auto native :
       {NativeType::kModelLoad, NativeType::kModelPart, NativeType::kOptimize}) {
    if (type == static_cast<std::uint64_t>(native)) return true;
  }
  return false;
}

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? fmt::format("signal {}", signal) : fmt::format("SIG{}", name);
}

std::string RequestName(const SessionPage& page) {
  const std::uint64_t type = page.state.request_type.load();
  return wire::TypeName(static_cast<wire::MessageType>(type & ((std::uint64_t{1} << 38) - 1)));
}

}  // namespace

std::uint64_t ResidentBytes(pid_t pid) {
  std::ifstream stream(fmt::format("/proc/{}/statm", pid));
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  stream >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::uint64_t DefaultMemoryLimit() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  std::uint64_t memory = pages > 0 && page > 0
                             ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page)
                             : std::uint64_t{1} << 30;
  std::ifstream group("/sys/fs/cgroup/memory.max");
  std::uint64_t allowed = 0;
  if (group >> allowed && allowed > 0) memory = std::min(memory, allowed);
  return memory / 4 * 3;
}

std::string DescribeDeath(int wait_status, EndReason reason, const SessionPage& page,
                          std::uint64_t max_memory_bytes, std::uint64_t peak_bytes,
                          double allowed_s) {
  std::string what;
  const int signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
  if (reason == EndReason::kDeadline) {
    what = fmt::format("stopped after its time limit of {:g} s", allowed_s);
  } else if (reason == EndReason::kMemory) {
    what = fmt::format("killed by the memory limit of {} (--max-memory)",
                       HumanBytes(max_memory_bytes));
  } else if (reason == EndReason::kShutdown) {
    what = "stopped, because the agent is shutting down";
  } else if (signal == SIGSYS) {
    what = "killed by the sandbox (SIGSYS): it made a forbidden system call";
  } else if (signal == SIGKILL) {
    what = "killed by SIGKILL; the system may be out of memory";
  } else if (signal != 0) {
    const std::string fault = page.fault.Get();
    what = fmt::format("crashed by {}{}{}", SignalName(signal), fault.empty() ? "" : " in ", fault);
    if (signal == SIGABRT && max_memory_bytes > 0 && peak_bytes > max_memory_bytes / 2) {
      what += fmt::format(", at {} of the {} that it may have", HumanBytes(peak_bytes),
                          HumanBytes(max_memory_bytes));
    }
  } else {
    what = fmt::format("ended by exit({})", WEXITSTATUS(wait_status));
  }
  const std::string model = page.model.Get();
  return fmt::format("the session was {} during {}{}{}; the agent takes new connections",
                     what.starts_with("crashed") ? "ended: the model " + what : what,
                     RequestName(page), model.empty() ? "" : ", ", model);
}

SessionProcess::SessionProcess(std::unique_ptr<Channel> channel, SharedSessionPage page,
                               const SessionSetup& setup, std::filesystem::path scratch)
    : channel_(std::move(channel)),
      page_(std::move(page)),
      settings_(setup.settings),
      limits_(setup.options.session),
      scratch_(std::move(scratch)) {}

SessionProcess::~SessionProcess() {
  if (pid_ > 0) {
    Kill(EndReason::kShutdown);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
}

Result<std::unique_ptr<SessionProcess>> SessionProcess::Start(std::unique_ptr<Channel> channel,
                                                              const SessionSetup& setup,
                                                              std::uint64_t number) {
  KENNING_ASSIGN_OR_RETURN(SharedSessionPage page, SharedSessionPage::Create());
  const std::filesystem::path scratch =
      setup.options.state_folder / "sessions" / fmt::format("{}-{}", ::getpid(), number);
  std::unique_ptr<SessionProcess> session(
      new SessionProcess(std::move(channel), std::move(page), setup, scratch));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("no further process can be started: {}", std::strerror(errno)));
  }
  if (pid == 0) {
    RunSessionWorker(*session->channel_, setup, session->page_.get(), scratch, parent);
  }
  session->pid_ = pid;
  return session;
}

void SessionProcess::Watch(std::int64_t now_ns) {
  if (pid_ < 0 || reason_ != EndReason::kNone) return;
  const std::uint64_t resident = ResidentBytes(pid_);
  peak_bytes_ = std::max(peak_bytes_, resident);
  if (limits_.max_memory_bytes > 0 && resident > limits_.max_memory_bytes) {
    return Kill(EndReason::kMemory);
  }
  const wire::SessionState& state = page_->state;
  if (state.busy.load() == 0) return;
  const std::int64_t since_ns = state.busy_since_ns.load();
  const std::int64_t client_ns = state.deadline_ns.load();
  const double limit_s =
      IsLoading(state.request_type.load()) ? limits_.load_timeout_s : limits_.invoke_timeout_s;
  // A client that gave its own limit is gone once it is over.
  const bool client_gone = client_ns > 0 && now_ns > client_ns;
  const auto limit_ns = static_cast<std::int64_t>(limit_s * static_cast<double>(kNsPerSecond));
  if (!client_gone && now_ns - since_ns <= limit_ns) return;
  allowed_s_ = client_gone && client_ns > since_ns
                   ? static_cast<double>(client_ns - since_ns) / static_cast<double>(kNsPerSecond)
                   : limit_s;
  Kill(EndReason::kDeadline);
}

bool SessionProcess::StopReading() {
  // The session reads what has arrived, then the end: it leaves as if the client had.
  return ::shutdown(channel_->descriptor(), SHUT_RD) == 0;
}

void SessionProcess::Kill(EndReason reason) {
  if (pid_ < 0) return;
  if (reason_ == EndReason::kNone) reason_ = reason;
  // Its own process group, with what it started. Before the child made the group, only itself.
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
}

void SessionProcess::SpeakFor(int wait_status) {
  const std::string words = DescribeDeath(wait_status, reason_, *page_.get(),
                                          limits_.max_memory_bytes, peak_bytes_, allowed_s_);
  LogError("{}: {}", peer(), words);
  // Where an answer had begun, more bytes would only spoil it.
  if (page_->state.busy.load() == 0) return;
  wire::StatusCode status = wire::StatusCode::kEngineFailure;
  if (reason_ == EndReason::kDeadline) status = wire::StatusCode::kDeadlineExceeded;
  if (reason_ == EndReason::kMemory) status = wire::StatusCode::kResourceExhausted;
  if (reason_ == EndReason::kShutdown) status = wire::StatusCode::kCancelled;
  const std::vector<std::byte> answer =
      wire::FailureAnswer(page_->state.request_type.load(), page_->state.request_id.load(),
                          page_->state.native.load() != 0, status, words, settings_);
  const ConstBytes piece(answer);
  static_cast<void>(channel_->WriteAll({&piece, 1}, Deadline::After(kTellTime_s)));
}

int SessionProcess::Finish(int wait_status) {
  pid_ = -1;
  std::error_code ignored;
  std::filesystem::remove_all(scratch_, ignored);
  if (WIFEXITED(wait_status) && reason_ == EndReason::kNone && !busy()) {
    LogInfo("{}: the session ended ({})", peer(), WEXITSTATUS(wait_status));
    return WEXITSTATUS(wait_status);
  }
  if (reason_ == EndReason::kShutdown && !busy()) return 0;
  SpeakFor(wait_status);
  return ExitCodeFor(reason_ == EndReason::kDeadline ? ErrorCode::kDeadlineExceeded
                                                     : ErrorCode::kEngineFailure);
}

}  // namespace kenning::target
