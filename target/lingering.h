// SPDX-License-Identifier: Apache-2.0
/// \file
/// Connections that were answered for the last time: what the client still sends is dropped unread
/// for a while, because a reset would overtake the answer.
#pragma once

#include <poll.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "kenning/core/transport.h"

namespace kenning::target {

class Lingering {
 public:
  /// Ends this side's sending. At most 32 linger; the oldest goes first.
  void Add(std::unique_ptr<Channel> channel, std::int64_t now_ns);
  /// Appends what to poll for.
  void AddTo(std::vector<pollfd>& polled) const;
  /// Drops what arrived; closes those that are done or late.
  void Work(std::int64_t now_ns);
  bool empty() const { return open_.empty(); }

 private:
  struct One {
    std::unique_ptr<Channel> channel;
    std::int64_t until_ns = 0;
    std::uint64_t bytes_left = 0;
  };
  static bool Done(One& one, std::int64_t now_ns);
  std::vector<One> open_;
};

}  // namespace kenning::target
