// SPDX-License-Identifier: Apache-2.0
/// \file
/// Names to socket addresses. Private to src/transport.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kenning/core/transport.h"

namespace kenning::internal {

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  bool loopback() const;
  std::string text() const;  ///< "127.0.0.1:80", "[::1]:80".
};

/// Every stream address of a host; empty: localhost. An address in digits asks no name service; a
/// name is asked for in a thread of its own, as the system's call keeps no deadline.
/// \return kNotFound, kDeadlineExceeded.
Result<std::vector<SocketAddress>> Resolve(const std::string& host, std::uint16_t port,
                                           Deadline deadline);

/// The address of this end, or of the other.
SocketAddress LocalAddress(int socket);
SocketAddress PeerAddress(int socket);

}  // namespace kenning::internal
