// SPDX-License-Identifier: Apache-2.0
#include "wire/log_queue.h"

#include <fmt/format.h>

#include "wire/logs.h"

namespace kenning::wire {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 10;
constexpr std::size_t kMaxTextBytes = std::size_t{16} << 10;

}  // namespace

void LogQueue::Add(LogLevel level, std::string_view text) {
  const std::scoped_lock lock(mutex_);
  if (payload_.size() > kMaxBytes) {
    ++left_out_;
  } else {
    AppendLog(payload_, level, text.substr(0, kMaxTextBytes));
  }
  if (!payload_.empty()) waiting_.store(true, std::memory_order_release);
}

void LogQueue::Take(std::vector<std::byte>& payload) {
  const std::scoped_lock lock(mutex_);
  if (left_out_ > 0) {
    AppendLog(payload_, LogLevel::kWarning, fmt::format("{} more messages left out", left_out_));
  }
  left_out_ = 0;
  payload.clear();
  payload.swap(payload_);
  waiting_.store(false, std::memory_order_release);
}

}  // namespace kenning::wire
