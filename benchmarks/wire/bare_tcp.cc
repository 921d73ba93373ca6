// SPDX-License-Identifier: Apache-2.0
#include "bare_tcp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "placement.h"

namespace kenning::bench {
namespace {

void Require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

bool Receive(int socket, std::vector<char>& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t got = ::recv(socket, bytes.data() + at, bytes.size() - at, 0);
    if (got <= 0) return false;
    at += static_cast<std::size_t>(got);
  }
  return true;
}

bool Send(int socket, const std::vector<char>& bytes) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t sent = ::send(socket, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) return false;
    at += static_cast<std::size_t>(sent);
  }
  return true;
}

void SendWithoutDelay(int socket) {
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

[[noreturn]] void Serve(int listener, std::size_t request_bytes, std::size_t answer_bytes) {
  std::vector<char> request(request_bytes);
  const std::vector<char> answer(answer_bytes, 'a');
  const int socket = ::accept(listener, nullptr, nullptr);
  if (socket < 0) ::_exit(1);
  SendWithoutDelay(socket);
  while (Receive(socket, request) && Send(socket, answer)) {
  }
  ::_exit(0);
}

}  // namespace

BareTcp::BareTcp(std::size_t request_bytes, std::size_t answer_bytes)
    : request_(request_bytes, 'r'), answer_(answer_bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  Require(::bind(listener, plain, size) == 0 && ::listen(listener, 1) == 0 &&
              ::getsockname(listener, plain, &size) == 0,
          "bare TCP: listening");
  server_ = ::fork();
  Require(server_ >= 0, "bare TCP: fork");
  if (server_ == 0) {
    TakeTargetPlace();
    Serve(listener, request_bytes, answer_bytes);
  }
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Require(::connect(socket_, plain, size) == 0, "bare TCP: connecting");
  SendWithoutDelay(socket_);
  ::close(listener);
}

BareTcp::~BareTcp() {
  ::close(socket_);
  ::kill(server_, SIGKILL);
  ::waitpid(server_, nullptr, 0);
}

void BareTcp::RoundTrip() {
  Require(Send(socket_, request_) && Receive(socket_, answer_), "bare TCP: round trip");
}

}  // namespace kenning::bench
