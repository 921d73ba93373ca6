// SPDX-License-Identifier: Apache-2.0
/// \file
/// A local HTTP server for tests: answers each connection with whatever bytes the test says.
#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace kenning::testing {

/// One connection, one request, one answer. Listens on 127.0.0.1 at a port of the system's choice.
class HttpServer {
 public:
  struct Answer {
    std::string bytes;       ///< Head and body, as they go over the wire.
    double hold_open_s = 0;  ///< Wait before closing.
  };
  using Handler = std::function<Answer(const std::string& request, int index)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    ::bind(socket_, reinterpret_cast<sockaddr*>(&address), size);
    ::listen(socket_, 8);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    stop_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    ::close(socket_);
    thread_.join();
  }

  std::string Url(const std::string& path) const {
    return fmt::format("http://127.0.0.1:{}/{}", port_, path);
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void Serve() {
    for (int index = 0; !stop_; ++index) {
      const int client = ::accept(socket_, nullptr, nullptr);
      if (client < 0) return;
      std::string request;
      char chunk[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::recv(client, chunk, sizeof(chunk), 0);
        if (got <= 0) break;
        request.append(chunk, static_cast<std::size_t>(got));
      }
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const Answer answer = handler_(request, index);
      for (std::size_t sent = 0; sent < answer.bytes.size();) {
        const ssize_t wrote =
            ::send(client, answer.bytes.data() + sent, answer.bytes.size() - sent, MSG_NOSIGNAL);
        if (wrote <= 0) break;
        sent += static_cast<std::size_t>(wrote);
      }
      for (int i = 0; i < static_cast<int>(answer.hold_open_s * 50) && !stop_; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
      }
      ::shutdown(client, SHUT_WR);
      ::close(client);
    }
  }

  Handler handler_;
  int socket_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

/// A whole answer with a body, and optional extra head lines ("ETag: \"a\"\r\n").
inline HttpServer::Answer WholeAnswer(const std::string& body, const std::string& extra = "") {
  return {fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}Connection: close\r\n\r\n{}",
                      body.size(), extra, body)};
}

}  // namespace kenning::testing
