// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: a serial cable between two pseudo-terminals that keeps the speed of a real line, and
/// can lose, change and cut.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kenning/base/result.h"
#include "transport/unique_fd.h"

namespace kenning::testing {

enum class Direction : std::uint8_t { kNearToFar, kFarToNear };

/// Each byte takes 10 bits of time, in each direction for itself, as on a line with 8N1.
class PtyPair {
 public:
  static Result<std::unique_ptr<PtyPair>> Make(int baud_rate);
  ~PtyPair();
  PtyPair(const PtyPair&) = delete;
  PtyPair& operator=(const PtyPair&) = delete;

  /// Device files to open as serial lines.
  const std::string& near_path() const { return ends_[0].path; }
  const std::string& far_path() const { return ends_[1].path; }
  /// Sees every piece on its way and may change it or leave bytes out; called by the cable's own
  /// thread, `at` counts the bytes of this direction.
  using Disturb = std::function<void(Direction, std::uint64_t at, std::vector<std::byte>& bytes)>;
  void SetDisturb(Disturb disturb);
  /// Unplugs both ends, for good.
  void Cut();
  std::uint64_t forwarded(Direction direction) const {
    return forwarded_[static_cast<std::size_t>(direction)];
  }

 private:
  struct End {
    UniqueFd master;
    UniqueFd slave;  // Kept open, so that the master never sees a hangup between two users.
    std::string path;
  };
  struct Piece {
    std::vector<std::byte> bytes;
    std::int64_t due_ns = 0;  // When its last bit arrives.
  };
  explicit PtyPair(int baud_rate) : baud_rate_(baud_rate) {}
  static Result<> OpenEnd(End& end);
  void Pump();
  /// Puts what waits at an end on the line. \return whether there was something.
  bool Take(std::size_t from, std::int64_t start_ns);
  void Deliver(std::size_t from);

  int baud_rate_;
  End ends_[2];
  Piece on_the_line_[2];
  Disturb disturb_;
  std::mutex disturb_mutex_;
  std::atomic<std::uint64_t> forwarded_[2] = {};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace kenning::testing
