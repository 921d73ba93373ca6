// SPDX-License-Identifier: Apache-2.0
#include "tls_relay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "child_process.h"
#include "kenning/base/log.h"
#include "sandbox.h"
#include "transport/socket_channel.h"

namespace kenning::target {
namespace {

constexpr std::size_t kMostHandshakes = 16;
constexpr double kHandshake_s = 10;
constexpr std::int64_t kHandshake_ns = 12'000'000'000;
constexpr double kWrite_s = 30;
constexpr double kLinger_s = 2;

/// Both directions of an established connection, until one side ends.
class Relay {
 public:
  Relay(TlsChannel& tls, int plain) : tls_(tls), plain_(plain) {}

  void Run() {
    while (!done_) {
      Poll();
      FromSession();
      FromClient();
      ToSession();
    }
    // The client gets the last answer before the connection goes.
    const Deadline deadline = Deadline::After(kLinger_s);
    while (true) {
      const auto got = tls_.ReadSome(buffer_, deadline);
      if (!got || *got == 0) return;
    }
  }

 private:
  /// Waits for what can be worked on. A session that does not read holds up the client, no more.
  void Poll() {
    std::array<pollfd, 2> polled = {{{tls_.poll_descriptor(), 0, 0}, {plain_, POLLIN, 0}}};
    if (to_session_.empty()) {
      if (!client_ended_) polled[0].events = POLLIN;
    } else {
      polled[1].events |= POLLOUT;
    }
    if (polled[0].events == 0) polled[0].fd = -1;
    const bool ready = to_session_.empty() && !client_ended_ && (more_ || tls_.pending());
    ::poll(polled.data(), polled.size(), ready ? 0 : -1);
    readable_ = polled[0].revents != 0;
  }

  void FromSession() {
    const ssize_t got = ::recv(plain_, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      done_ = true;
      return;
    }
    const ConstBytes piece(buffer_.data(), static_cast<std::size_t>(got));
    done_ = !tls_.WriteAll({&piece, 1}, Deadline::After(kWrite_s));
  }

  void FromClient() {
    if (done_ || client_ended_ || !to_session_.empty()) return;
    if (!readable_ && !more_ && !tls_.pending()) return;
    const auto got = tls_.ReadSome(buffer_, Deadline::After(0));
    more_ = got && *got > 0;
    if (more_) {
      to_session_.assign(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(*got));
    } else if (got || got.error().code() != ErrorCode::kDeadlineExceeded) {
      // The session ends by itself, and its last answer still goes out.
      client_ended_ = true;
      ::shutdown(plain_, SHUT_WR);
    }
  }

  void ToSession() {
    if (done_ || to_session_.empty()) return;
    const ssize_t sent =
        ::send(plain_, to_session_.data(), to_session_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) to_session_.erase(to_session_.begin(), to_session_.begin() + sent);
    done_ = sent < 0 && errno != EAGAIN && errno != EINTR;
  }

  TlsChannel& tls_;
  int plain_;
  std::array<std::byte, 65536> buffer_{};
  std::vector<std::byte> to_session_;
  bool readable_ = false;
  bool more_ = false;
  bool client_ended_ = false;
  bool done_ = false;
};

[[noreturn]] void RunRelay(std::unique_ptr<Channel> raw, const TlsSettings& settings, int plain,
                           int control, bool sandbox, pid_t parent) {
  BecomeChild({raw->descriptor(), plain, control}, parent);
  SandboxPlan plan;
  plan.enabled = sandbox;
  plan.max_memory_bytes = std::uint64_t{256} << 20;
  static_cast<void>(EnterSandbox(plan));
  const std::string peer = raw->peer();
  auto tls = TlsAccept(std::move(raw), settings, Deadline::After(kHandshake_s));
  if (!tls) {
    LogWarning("{}: {}", peer, tls.error().ToString());
  } else {
    const std::string subject = (*tls)->peer_subject();
    LogInfo("{}: TLS with {}", peer, subject.empty() ? "an unnamed client" : subject);
    if (::write(control, "+", 1) == 1) {
      ::close(control);
      Relay(**tls, plain).Run();
    }
    (*tls)->Shutdown();
  }
  std::fflush(nullptr);
  ::_exit(0);
}

}  // namespace

TlsRelays::~TlsRelays() {
  for (const pid_t pid : processes_) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

void TlsRelays::Start(std::unique_ptr<Channel> raw, std::int64_t now_ns) {
  const std::string peer = raw->peer();
  if (pending_.size() >= kMostHandshakes) {
    LogWarning("{}: too many handshakes at once", peer);
    return;
  }
  int plain[2] = {-1, -1};
  int control[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, plain) != 0) return;
  UniqueFd ours(plain[0]);
  const UniqueFd theirs(plain[1]);
  if (::pipe2(control, O_CLOEXEC | O_NONBLOCK) != 0) return;
  UniqueFd reading(control[0]);
  const UniqueFd writing(control[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    RunRelay(std::move(raw), settings_, theirs.get(), writing.get(), options_.sandbox.enabled,
             parent);
  }
  if (pid < 0) return LogError("{}: no further process can be started", peer);
  processes_.push_back(pid);
  pending_.push_back({pid, std::move(reading), std::move(ours), peer, now_ns + kHandshake_ns});
}

void TlsRelays::AddTo(std::vector<pollfd>& polled) const {
  for (const Pending& one : pending_) polled.push_back({one.control.get(), POLLIN, 0});
}

std::vector<std::unique_ptr<Channel>> TlsRelays::Ready(std::int64_t now_ns) {
  std::vector<std::unique_ptr<Channel>> ready;
  std::erase_if(pending_, [&](Pending& one) {
    char byte = 0;
    const ssize_t got = ::read(one.control.get(), &byte, 1);
    if (got == 1) {
      ready.push_back(MakeSocketChannel(std::move(one.plain), one.peer));
      return true;
    }
    const bool waiting = got < 0 && (errno == EAGAIN || errno == EINTR);
    if (waiting && now_ns < one.until_ns) return false;
    if (waiting) ::kill(one.pid, SIGKILL);
    return true;
  });
  return ready;
}

void TlsRelays::Reap() {
  std::erase_if(processes_, [](pid_t pid) { return ::waitpid(pid, nullptr, WNOHANG) == pid; });
}

std::optional<TlsSettings> TakeTlsSettings(ConfiguredBlock& protocol) {
  auto values = protocol.params.values();
  const auto tls = values.find("tls");
  if (tls == values.end() || tls->second != ParamValue{std::string("on")}) return std::nullopt;
  const auto take = [&](const char* name) {
    std::string text;
    const auto found = values.find(name);
    if (found == values.end()) return text;
    if (const auto* given = std::get_if<std::string>(&found->second)) text = *given;
    found->second = std::monostate{};
    return text;
  };
  TlsSettings settings;
  settings.ca = take("tls_ca");
  settings.certificate = take("tls_certificate");
  settings.key = take("tls_key");
  static_cast<void>(take("tls_name"));
  static_cast<void>(take("tls_fingerprint"));
  values["tls"] = std::string("off");
  protocol.params = Params(std::move(values));
  return settings;
}

}  // namespace kenning::target
