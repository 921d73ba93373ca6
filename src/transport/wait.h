// SPDX-License-Identifier: Apache-2.0
/// \file
/// Waiting for a descriptor, with a way to wake the one who waits. Private to src/transport.
#pragma once

#include <cstdint>
#include <string>

#include "kenning/core/transport.h"
#include "transport/unique_fd.h"

namespace kenning::internal {

/// Wakes any number of waiters, for good. Wake may be called from a signal handler.
class WakeSignal {
 public:
  WakeSignal();
  void Wake() const noexcept;
  bool woken() const;
  int descriptor() const { return event_.get(); }

 private:
  UniqueFd event_;
};

enum class WaitResult : std::uint8_t {
  kReady,
  kDeadline,
  kWoken,
  kFailed,  ///< errno says why.
};
/// Waits until `events` (or an error or a hangup) are there. `wake` may be null.
WaitResult WaitFor(int descriptor, short events, Deadline deadline, const WakeSignal* wake);

/// The words of the system for an errno.
std::string SystemError(int error_number);

}  // namespace kenning::internal
