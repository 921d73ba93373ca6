// SPDX-License-Identifier: Apache-2.0
#include "tls_relay.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>

#include "child_process.h"
#include "kenning/base/log.h"
#include "sandbox.h"
#include "transport/socket_channel.h"
#include "transport/tls_server.h"

namespace kenning::target {
namespace {

constexpr std::size_t kMostHandshakes = 16;
constexpr std::int64_t kHandshake_ns = 12'000'000'000;

[[noreturn]] void RunRelay(std::unique_ptr<Channel> raw, const TlsSettings& settings, int plain,
                           int control, bool sandbox, pid_t parent) {
  BecomeChild({raw->descriptor(), plain, control}, parent);
  SandboxPlan plan;
  plan.enabled = sandbox;
  plan.max_memory_bytes = std::uint64_t{256} << 20;
  static_cast<void>(EnterSandbox(plan));
  const std::string peer = raw->peer();
  RelayOptions relay;
  relay.on_established = [&](const TlsChannel& client) {
    const std::string subject = client.peer_subject();
    LogInfo("{}: TLS with {}", peer, subject.empty() ? "an unnamed client" : subject);
    if (::write(control, "+", 1) != 1) ::_exit(1);
    ::close(control);
  };
  const Result<> ended =
      RelayTls(std::move(raw), settings, MakeSocketChannel(UniqueFd(plain), peer), relay);
  if (!ended) LogWarning("{}: {}", peer, ended.error().ToString());
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
