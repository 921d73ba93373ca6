// SPDX-License-Identifier: Apache-2.0
#include "transport/wait.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <system_error>

namespace kenning::internal {

WakeSignal::WakeSignal() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void WakeSignal::Wake() const noexcept {
  const int kept = errno;
  const std::uint64_t one = 1;
  // Where the counter is full, it has been woken already.
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof(one));
  errno = kept;
}

bool WakeSignal::woken() const {
  pollfd one = {.fd = event_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) > 0;
}

WaitResult WaitFor(int descriptor, short events, Deadline deadline, const WakeSignal* wake) {
  pollfd both[2] = {
      {.fd = descriptor, .events = events, .revents = 0},
      {.fd = wake != nullptr ? wake->descriptor() : -1, .events = POLLIN, .revents = 0},
  };
  while (true) {
    const auto left_ns = deadline.remaining_ns();
    timespec limit{};
    if (left_ns) {
      limit.tv_sec = static_cast<time_t>(*left_ns / 1'000'000'000);
      limit.tv_nsec = static_cast<long>(*left_ns % 1'000'000'000);
    }
    const int ready = ::ppoll(both, 2, left_ns ? &limit : nullptr, nullptr);
    if (ready < 0 && errno != EINTR) return WaitResult::kFailed;
    if (ready > 0) return both[1].revents != 0 ? WaitResult::kWoken : WaitResult::kReady;
    if (ready == 0) return WaitResult::kDeadline;
  }
}

std::string SystemError(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

}  // namespace kenning::internal
