// SPDX-License-Identifier: Apache-2.0
#include "transport/resolve.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <system_error>
#include <thread>

#include "transport/tcp.h"

namespace kenning::internal {
namespace {

struct Answer {
  int status = 0;
  std::vector<SocketAddress> addresses;
};

Answer Ask(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  Answer answer;
  answer.status = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (answer.status != 0) return answer;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
    SocketAddress address;
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    answer.addresses.push_back(address);
  }
  return answer;
}

tl::unexpected<Error> Unknown(const std::string& host, int status) {
  return Fail(ErrorCode::kNotFound,
              fmt::format("the host name \"{}\" is not known ({}); check its spelling, or give the "
                          "address in digits",
                          host, ::gai_strerror(status)));
}

// The thread is left alone where it takes too long: it holds nothing but its own answer.
Result<Answer> AskInTime(const std::string& host, std::uint16_t port, Deadline deadline) {
  auto promise = std::make_shared<std::promise<Answer>>();
  std::future<Answer> future = promise->get_future();
  try {
    std::thread([promise, host, port] { promise->set_value(Ask(host, port, 0)); }).detach();
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kResourceExhausted, fmt::format("no thread: {}", error.what()));
  }
  if (const auto left_ns = deadline.remaining_ns()) {
    if (future.wait_for(std::chrono::nanoseconds(*left_ns)) != std::future_status::ready) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("the name service did not answer for \"{}\" within the time limit; "
                              "give the address in digits",
                              host));
    }
  }
  return future.get();
}

}  // namespace

Result<std::vector<SocketAddress>> Resolve(const std::string& host, std::uint16_t port,
                                           Deadline deadline) {
  std::string name = host.empty() ? "localhost" : host;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  Answer answer = Ask(name, port, AI_NUMERICHOST);
  if (answer.status != 0) {
    KENNING_ASSIGN_OR_RETURN(answer, AskInTime(name, port, deadline));
  }
  if (answer.status != 0) return Unknown(name, answer.status);
  if (answer.addresses.empty()) return Unknown(name, EAI_NONAME);
  return std::move(answer.addresses);
}

bool SocketAddress::loopback() const {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &storage, sizeof(v4));
    return (ntohl(v4.sin_addr.s_addr) >> 24U) == 127;
  }
  if (storage.ss_family != AF_INET6) return false;
  sockaddr_in6 v6;
  std::memcpy(&v6, &storage, sizeof(v6));
  const bool mapped = IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr) && v6.sin6_addr.s6_addr[12] == 127;
  return mapped || IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

std::string SocketAddress::text() const {
  char host[NI_MAXHOST] = "";
  char port[NI_MAXSERV] = "";
  if (::getnameinfo(get(), size, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "an unknown address";
  }
  return storage.ss_family == AF_INET6 ? fmt::format("[{}]:{}", host, port)
                                       : fmt::format("{}:{}", host, port);
}

SocketAddress LocalAddress(int socket) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return address;
}

SocketAddress PeerAddress(int socket) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  ::getpeername(socket, reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return address;
}

}  // namespace kenning::internal
