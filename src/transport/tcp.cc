// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "kenning/base/strings.h"
#include "transport/resolve.h"
#include "transport/socket_channel.h"
#include "transport/wait.h"

namespace kenning {
namespace {

using internal::Resolve;
using internal::SocketAddress;
using internal::SystemError;
using internal::WaitFor;
using internal::WaitResult;

void SetOption(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof(value));
}

// A message is written whole, so nothing is won by waiting for more. A peer that vanished without
// a word is noticed after half a minute, also by who only waits.
void Tune(int socket) {
  SetOption(socket, IPPROTO_TCP, TCP_NODELAY, 1);
  SetOption(socket, SOL_SOCKET, SO_KEEPALIVE, 1);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPIDLE, 15);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPINTVL, 5);
  SetOption(socket, IPPROTO_TCP, TCP_KEEPCNT, 3);
}

// Where nobody listens on a port that the system may give to clients, a socket can meet itself.
bool MetItself(int socket) {
  return internal::LocalAddress(socket).text() == internal::PeerAddress(socket).text();
}

/// One attempt. On failure `error_number` says why; ETIMEDOUT where there was no answer in time.
UniqueFd ConnectTo(const SocketAddress& address, Deadline deadline, int& error_number) {
  UniqueFd socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  error_number = errno;
  if (!socket) return {};
  Tune(socket.get());
  if (::connect(socket.get(), address.get(), address.size) != 0) {
    error_number = errno;
    if (errno != EINPROGRESS && errno != EINTR) return {};
    if (WaitFor(socket.get(), POLLOUT, deadline, nullptr) != WaitResult::kReady) {
      error_number = ETIMEDOUT;
      return {};
    }
    socklen_t size = sizeof(error_number);
    ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error_number, &size);
    if (error_number != 0) return {};
  }
  if (MetItself(socket.get())) {
    error_number = ECONNREFUSED;
    return {};
  }
  return socket;
}

// Each address has its share of the time that is left, the last all of it.
Deadline Share(Deadline whole, std::size_t addresses_left) {
  const auto left_ns = whole.remaining_ns();
  if (!left_ns || addresses_left <= 1) return whole;
  return Deadline::After(static_cast<double>(*left_ns) * 1e-9 /
                         static_cast<double>(addresses_left));
}

std::string Advice(const std::string& where, int error_number) {
  switch (error_number) {
    case ECONNREFUSED:
      return fmt::format(
          "is kenning-agent running at {}, on this port, and does it listen on that address "
          "(--host)?",
          where);
    case ETIMEDOUT:
      return "is the address right, the target switched on, and the port open in its firewall?";
    case ENETUNREACH:
    case EHOSTUNREACH:
      return "is this machine in the target's network?";
    default:
      return "";
  }
}

class TcpListener final : public Listener {
 public:
  explicit TcpListener(UniqueFd socket)
      : socket_(std::move(socket)), address_(internal::LocalAddress(socket_.get()).text()) {}

  Result<std::unique_ptr<Channel>> Accept(Deadline deadline) override {
    while (true) {
      switch (WaitFor(socket_.get(), POLLIN, deadline, &wake_)) {
        case WaitResult::kReady:
          break;
        case WaitResult::kWoken:
          return Fail(ErrorCode::kCancelled, fmt::format("{}: no longer listening", address_));
        case WaitResult::kDeadline:
          return Fail(ErrorCode::kDeadlineExceeded,
                      fmt::format("{}: nobody connected within the time limit", address_));
        case WaitResult::kFailed:
          return Fail(ErrorCode::kIo, fmt::format("{}: {}", address_, SystemError(errno)));
      }
      UniqueFd accepted(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (accepted) {
        Tune(accepted.get());
        std::string peer = internal::PeerAddress(accepted.get()).text();
        return MakeSocketChannel(std::move(accepted), std::move(peer));
      }
      if (!LeftBeforeAccept(errno)) {
        return Fail(ErrorCode::kIo,
                    fmt::format("{}: cannot take a connection: {}", address_, SystemError(errno)));
      }
    }
  }
  void Shutdown() noexcept override { wake_.Wake(); }
  std::string address() const override { return address_; }
  int descriptor() const override { return socket_.get(); }

 private:
  // What befell one client is no failure of the listener (accept(2): treat them like EAGAIN).
  static bool LeftBeforeAccept(int error_number) {
    constexpr int kPassing[] = {EAGAIN,    EINTR,      ECONNABORTED, EPROTO,     ENETDOWN,
                                EHOSTDOWN, ENONET,     EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH,
                                ETIMEDOUT, ECONNRESET, ENOPROTOOPT};
    return std::ranges::find(kPassing, error_number) != std::end(kPassing);
  }
  UniqueFd socket_;
  std::string address_;
  internal::WakeSignal wake_;
};

tl::unexpected<Error> CannotListen(const std::string& where, std::uint16_t port, int error_number) {
  std::string advice;
  if (error_number == EADDRINUSE) {
    advice = fmt::format(
        ": another process listens there (find it with: ss -ltnp 'sport = :{}'); stop it or choose "
        "another port",
        port);
  } else if (error_number == EADDRNOTAVAIL) {
    advice = ": this machine has no such address (see: ip address)";
  } else if (error_number == EACCES) {
    advice = ": ports below 1024 need privileges; choose a higher one";
  }
  return Fail(ErrorCode::kIo,
              fmt::format("cannot listen on {}: {}{}", where, SystemError(error_number), advice));
}

/// Who asks waits awake for a moment: the host's time to wake is no part of what a target costs.
/// The target's side always sleeps, so that its load and energy are those of its work.
std::int64_t SpinNs() {
  constexpr std::int64_t kSpinNs = 50'000;
  return ::sysconf(_SC_NPROCESSORS_ONLN) > 1 ? kSpinNs : 0;
}

}  // namespace

std::string HostAndPort(const std::string& host, std::uint16_t port) {
  const bool bare_v6 = host.find(':') != std::string::npos && host.front() != '[';
  return bare_v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Result<std::unique_ptr<Channel>> ConnectTcp(const std::string& host, std::uint16_t port,
                                            Deadline deadline) {
  const std::string where = HostAndPort(host.empty() ? "localhost" : host, port);
  if (port == 0) return Fail(ErrorCode::kInvalidArgument, where + ": port 0 cannot be reached");
  auto addresses = Resolve(host, port, deadline);
  if (!addresses) {
    const bool late = addresses.error().code() == ErrorCode::kDeadlineExceeded;
    return Fail(late ? ErrorCode::kDeadlineExceeded : ErrorCode::kTargetLost,
                addresses.error().message());
  }
  std::vector<std::string> failures;
  int last_error = 0;
  bool all_late = true;
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    const SocketAddress& address = (*addresses)[i];
    UniqueFd socket = ConnectTo(address, Share(deadline, addresses->size() - i), last_error);
    if (socket) return MakeSocketChannel(std::move(socket), address.text(), SpinNs());
    all_late = all_late && last_error == ETIMEDOUT;
    failures.push_back(fmt::format("{}: {}", address.text(), SystemError(last_error)));
  }
  const std::string advice = Advice(where, last_error);
  return Fail(all_late ? ErrorCode::kDeadlineExceeded : ErrorCode::kTargetLost,
              fmt::format("no connection to {} ({}){}{}", where, Join(failures),
                          advice.empty() ? "" : "; ", advice));
}

Result<std::unique_ptr<Listener>> ListenTcp(const std::string& host, std::uint16_t port) {
  const std::string name = host.empty() || host == "localhost" ? "127.0.0.1" : host;
  KENNING_ASSIGN_OR_RETURN(const auto addresses, Resolve(name, port, Deadline::After(10)));
  const SocketAddress& address = addresses.front();
  const std::string where = address.text();
  UniqueFd socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return CannotListen(where, port, errno);
  SetOption(socket.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.storage.ss_family == AF_INET6) {
    SetOption(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  }
  if (::bind(socket.get(), address.get(), address.size) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    return CannotListen(where, port, errno);
  }
  return std::make_unique<TcpListener>(std::move(socket));
}

Result<bool> IsLoopbackHost(const std::string& host) {
  KENNING_ASSIGN_OR_RETURN(const auto addresses, Resolve(host, 0, Deadline::After(10)));
  return std::ranges::all_of(addresses, [](const SocketAddress& one) { return one.loopback(); });
}

}  // namespace kenning
