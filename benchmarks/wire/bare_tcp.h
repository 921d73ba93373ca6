// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rival of the wire: the least that two processes can do over TCP. Blocking sockets, a request
/// of fixed size, an answer of fixed size, no header, no check.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

namespace kenning::bench {

class BareTcp {
 public:
  /// Forks the server. Ends the program where this machine cannot.
  BareTcp(std::size_t request_bytes, std::size_t answer_bytes);
  ~BareTcp();
  BareTcp(const BareTcp&) = delete;
  BareTcp& operator=(const BareTcp&) = delete;

  void RoundTrip();

 private:
  pid_t server_ = -1;
  int socket_ = -1;
  std::vector<char> request_;
  std::vector<char> answer_;
};

}  // namespace kenning::bench
