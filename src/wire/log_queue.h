// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lines that wait for the next answer.
#pragma once

#include <atomic>
#include <mutex>
#include <string_view>
#include <vector>

#include "kenning/base/log.h"

namespace kenning::wire {

/// Any thread may add.
class LogQueue {
 public:
  void Add(LogLevel level, std::string_view text);
  /// Whether Take would give something; cheap.
  bool empty() const { return !waiting_.load(std::memory_order_acquire); }
  /// Puts the payload of a LOGS message into `payload`, whose former content is lost.
  void Take(std::vector<std::byte>& payload);

 private:
  std::atomic<bool> waiting_{false};
  std::mutex mutex_;
  std::vector<std::byte> payload_;
  std::size_t left_out_ = 0;
};

}  // namespace kenning::wire
