// SPDX-License-Identifier: Apache-2.0
#include "agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <optional>
#include <vector>

#include "child_process.h"
#include "kenning/base/clock.h"
#include "kenning/base/log.h"
#include "kenning/registry/params_from_text.h"
#include "lingering.h"
#include "notify.h"
#include "sandbox.h"
#include "session_process.h"
#include "session_worker.h"
#include "tls_relay.h"
#include "transport/tcp.h"
#include "transport/tls_part.h"
#include "transport/unique_fd.h"

namespace kenning::target {
namespace {

constexpr std::size_t kMostBusyAnswers = 16;
constexpr int kWatchBusy_ms = 50;
constexpr int kWatchIdle_ms = 250;
constexpr std::int64_t kGrace_ns = 5'000'000'000;
constexpr std::int64_t kPause_ns = 100'000'000;

/// While it lives, SIGTERM, SIGINT and SIGCHLD come through a descriptor.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set_, signal);
    ::sigprocmask(SIG_BLOCK, &set_, &before_);
    descriptor_ = UniqueFd(::signalfd(-1, &set_, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  ~Signals() { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const { return descriptor_.get(); }
  /// Takes what came; \return how many asked this process to stop.
  int Take() const {
    int stops = 0;
    signalfd_siginfo info{};
    while (::read(descriptor_.get(), &info, sizeof(info)) == sizeof(info)) {
      if (info.ssi_signo != SIGCHLD) ++stops;
    }
    return stops;
  }

 private:
  sigset_t set_{};
  sigset_t before_{};
  UniqueFd descriptor_;
};

}  // namespace

class Agent::Impl {
 public:
  Impl(AgentOptions options, const Registry& registry, std::unique_ptr<Transport> transport,
       std::unique_ptr<Listener> listener, std::optional<TlsSettings> tls)
      : options_(std::move(options)),
        registry_(registry),
        transport_(std::move(transport)),
        listener_(std::move(listener)) {
    if (tls) relays_.emplace(*std::move(tls), options_);
  }
  ~Impl() {
    for (const pid_t pid : busy_answers_) {
      ::kill(pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
  }

  std::string address() const { return listener_->address(); }
  int ready_fd() const { return options_.ready_fd; }

  int Run() {
    std::signal(SIGPIPE, SIG_IGN);
    TellReady(options_.ready_fd, address());
    NotifyServiceManager("READY=1\nSTATUS=Waiting for a client");
    while (!finished_) {
      Poll();
      const int stops = signals_.Take();
      Reap();
      const std::int64_t now_ns = MonotonicNowNs();
      if (stops > 0) Stop(stops, now_ns);
      if (session_ != nullptr) session_->Watch(now_ns);
      lingering_.Work(now_ns);
      Drain(now_ns);
      TakeFromRelays(now_ns);
      if (accepting(now_ns)) AcceptAll(now_ns);
    }
    return result_;
  }

 private:
  bool stopping() const { return stop_by_ns_.has_value(); }
  /// Whether a connection would be taken now. A serial line has only one.
  bool accepting(std::int64_t now_ns) const {
    return !stopping() && now_ns >= paused_until_ns_ && (network() || session_ == nullptr);
  }
  bool network() const { return transport_->settings().dialect == WireDialect::kNetwork; }

  int Timeout(std::int64_t now_ns) const {
    if (session_ != nullptr) return session_->busy() || stopping() ? kWatchBusy_ms : kWatchIdle_ms;
    if (stopping() || !lingering_.empty() || now_ns < paused_until_ns_) return kWatchBusy_ms;
    if (relays_ && relays_->waiting()) return kWatchIdle_ms;
    return -1;
  }

  void Poll() {
    const std::int64_t now_ns = MonotonicNowNs();
    polled_.clear();
    polled_.push_back({signals_.descriptor(), POLLIN, 0});
    if (accepting(now_ns)) {
      polled_.push_back({listener_->descriptor(), POLLIN, 0});
    }
    lingering_.AddTo(polled_);
    if (relays_) relays_->AddTo(polled_);
    ::poll(polled_.data(), polled_.size(), Timeout(now_ns));
  }

  void Reap() {
    int status = 0;
    if (relays_) relays_->Reap();
    std::erase_if(busy_answers_,
                  [&](pid_t pid) { return ::waitpid(pid, &status, WNOHANG) == pid; });
    if (session_ == nullptr || ::waitpid(session_->pid(), &status, WNOHANG) != session_->pid()) {
      return;
    }
    const int code = session_->Finish(status);
    lingering_.Add(session_->TakeChannel(), MonotonicNowNs());
    session_.reset();
    NotifyServiceManager("STATUS=Waiting for a client");
    if (options_.once || stopping()) {
      result_ = options_.once ? code : 0;
      // The last words must arrive, too.
      if (!stopping()) stop_by_ns_ = MonotonicNowNs() + kGrace_ns;
    }
  }

  void Stop(int stops, std::int64_t now_ns) {
    if (stopping() || stops > 1) {
      LogInfo("stopping at once");
      if (session_ != nullptr) session_->Kill(EndReason::kShutdown);
      stop_by_ns_ = now_ns;
      return;
    }
    NotifyServiceManager("STOPPING=1");
    LogInfo("stopping; a request in work is answered first");
    stop_by_ns_ = now_ns + kGrace_ns;
    ends_by_itself_ = session_ == nullptr || session_->StopReading();
  }

  /// Once stopping: leaves when all is said, or when the time is over.
  void Drain(std::int64_t now_ns) {
    if (!stopping()) return;
    if (session_ != nullptr) {
      const bool answered = !ends_by_itself_ && !session_->busy();
      if (answered || now_ns >= *stop_by_ns_) session_->Kill(EndReason::kShutdown);
      return;
    }
    if (lingering_.empty() || now_ns >= *stop_by_ns_) finished_ = true;
  }

  void AcceptAll(std::int64_t now_ns) {
    constexpr int kMostATurn = 64;
    for (int i = 0; i < kMostATurn && accepting(now_ns); ++i) {
      auto channel = listener_->Accept(Deadline::After(0));
      if (!channel) {
        if (channel.error().code() == ErrorCode::kDeadlineExceeded) return;
        LogWarning("{}", channel.error().message());
        paused_until_ns_ = now_ns + kPause_ns;  // Out of descriptors: they come back.
        return;
      }
      if (relays_) {
        relays_->Start(*std::move(channel), now_ns);
      } else {
        Take(*std::move(channel), now_ns);
      }
    }
  }

  void TakeFromRelays(std::int64_t now_ns) {
    if (!relays_) return;
    for (auto& channel : relays_->Ready(now_ns)) {
      if (!stopping()) Take(std::move(channel), now_ns);
    }
  }

  void Take(std::unique_ptr<Channel> channel, std::int64_t now_ns) {
    if (session_ != nullptr) return AnswerBusy(std::move(channel), now_ns);
    const std::string peer = channel->peer();
    auto session = SessionProcess::Start(std::move(channel),
                                         {registry_, options_, transport_->settings()}, ++number_);
    if (!session) return LogError("{}: {}", peer, session.error().message());
    session_ = *std::move(session);
    LogInfo("{}: session {} in process {}", peer, number_, session_->pid());
    NotifyServiceManager(fmt::format("STATUS=Serving {}", peer));
  }

  void AnswerBusy(std::unique_ptr<Channel> channel, std::int64_t now_ns) {
    const std::string text =
        fmt::format("busy: this target serves {}; try again when it is done", session_->peer());
    LogInfo("{}: {}", channel->peer(), text);
    if (busy_answers_.size() < kMostBusyAnswers) {
      const pid_t parent = ::getpid();
      const pid_t pid = ::fork();
      if (pid == 0) RunBusyWorker(*channel, transport_->settings(), text, parent);
      if (pid > 0) {
        busy_answers_.push_back(pid);
        return;
      }
    }
    // Too many at once: no request is read. The few bytes fit into the socket's buffer.
    static_cast<void>(SendBusyNotice(*channel, text, Deadline::After(0)));
    lingering_.Add(std::move(channel), now_ns);
  }

  AgentOptions options_;
  const Registry& registry_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Listener> listener_;
  Signals signals_;
  std::unique_ptr<SessionProcess> session_;
  std::vector<pid_t> busy_answers_;
  Lingering lingering_;
  std::optional<TlsRelays> relays_;
  std::vector<pollfd> polled_;
  std::optional<std::int64_t> stop_by_ns_;
  std::int64_t paused_until_ns_ = 0;
  std::uint64_t number_ = 0;
  int result_ = 0;
  bool finished_ = false;
  bool ends_by_itself_ = true;  ///< Whether a session notices that it shall stop.
};

Agent::Agent(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Agent::~Agent() = default;
std::string Agent::address() const { return impl_->address(); }

Result<> CheckExposure(const AgentOptions& options, const WireSettings& settings, bool loopback,
                       bool certificates) {
  if (loopback || certificates || !settings.token.empty() || options.allow_unauthenticated)
    return {};
  return Fail(ErrorCode::kInvalidScenario,
              "others could reach this address and run models here. Give a shared secret with "
              "--token-file, or certificates with --tls-certificate, --tls-key and --tls-ca; or "
              "listen on 127.0.0.1; or say --allow-unauthenticated where the network is trusted");
}

namespace {

std::size_t AvailableRuntimes(const Registry& registry) {
  const auto runtimes = registry.List(BlockCategory::kRuntime);
  return static_cast<std::size_t>(std::ranges::count_if(
      runtimes, [](const BlockInfo* info) { return !info->probe || info->probe().available; }));
}

/// The file that the configuration names for a copy of the model: sessions may write to it alone.
Result<std::optional<std::filesystem::path>> PrepareCopy(const AgentOptions& options) {
  if (!options.runtime || !options.runtime->params.Has("save_model_path")) return std::nullopt;
  const std::filesystem::path file = options.runtime->params.String("save_model_path");
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  const UniqueFd made(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (made) return file;
  return Fail(ErrorCode::kIo, fmt::format("save_model_path {}: {}; name a file that can be written",
                                          file.string(), std::generic_category().message(errno)));
}

/// Files of sessions whose agent was killed before it could remove them.
void RemoveOldSessions(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> old;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    int pid = 0;
    std::from_chars(name.data(), name.data() + name.size(), pid);
    if (pid > 0 && ::kill(pid, 0) != 0 && errno == ESRCH) old.push_back(entry.path());
  }
  for (const auto& path : old) std::filesystem::remove_all(path, error);
}

Result<> PrepareUser(const AgentOptions& options, const Registry& registry) {
  KENNING_RETURN_IF_ERROR(FileModelStore::Open(options.state_folder, options.store));
  std::error_code error;
  std::filesystem::permissions(options.state_folder, std::filesystem::perms::owner_all, error);
  RemoveOldSessions(options.state_folder / "sessions");
  KENNING_ASSIGN_OR_RETURN(const auto copy, PrepareCopy(options));
  if (::geteuid() != 0 || options.allow_root) return {};
  std::vector<std::filesystem::path> handed_over = {options.state_folder};
  for (const char* kind : {"models", "parts", "sessions"}) {
    handed_over.push_back(options.state_folder / kind);
  }
  if (copy) handed_over.push_back(*copy);
  const std::size_t engines = AvailableRuntimes(registry);
  KENNING_ASSIGN_OR_RETURN(const std::string user, LeaveRoot(options.user, handed_over));
  const char* lost = nullptr;
  if (AvailableRuntimes(registry) < engines) lost = "the engines";
  if (::access((options.state_folder / "models").c_str(), W_OK | X_OK) != 0) lost = "--state";
  if (lost != nullptr) {
    return Fail(ErrorCode::kIo,
                fmt::format("user {} cannot reach {}; move them where everyone may look, name "
                            "another user with --user, or stay root with --allow-root",
                            user, lost));
  }
  LogInfo("running as user {}", user);
  return {};
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::Open(AgentOptions options, const Registry& registry) {
  if (options.session.max_memory_bytes == 0) {
    options.session.max_memory_bytes = DefaultMemoryLimit();
  }
  BlockContext blocks;
  std::optional<TlsSettings> tls = TakeTlsSettings(options.protocol);
  KENNING_ASSIGN_OR_RETURN(auto transport,
                           options.protocol.info->make_transport(options.protocol.params, blocks));
  if (transport->settings().dialect == WireDialect::kNetwork) {
    const std::string host =
        options.protocol.params.Has("host") ? options.protocol.params.String("host") : "";
    KENNING_ASSIGN_OR_RETURN(const bool loopback, IsLoopbackHost(host));
    KENNING_RETURN_IF_ERROR(
        CheckExposure(options, transport->settings(), loopback, tls && !tls->ca.empty()),
        transport->name());
  }
  KENNING_ASSIGN_OR_RETURN(auto listener, transport->Listen());
  KENNING_RETURN_IF_ERROR(PrepareUser(options, registry));
  // As the user who will read them, and in a process that ends: the library is large.
  if (tls) {
    KENNING_RETURN_IF_ERROR(CheckInChild([&tls] { return CheckTlsServerFiles(*tls); }));
  }
  return std::unique_ptr<Agent>(new Agent(std::make_unique<Impl>(
      std::move(options), registry, std::move(transport), std::move(listener), std::move(tls))));
}

Result<int> Agent::Run() {
  LogInfo("listening on {}", address());
  return impl_->Run();
}

}  // namespace kenning::target
