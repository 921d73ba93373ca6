// SPDX-License-Identifier: Apache-2.0
#include "transport/stream_channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>

#include "transport/pieces.h"
#include "transport/serial_line.h"
#include "transport/wait.h"

namespace kenning::internal {
namespace {

class StreamChannel final : public Channel {
 public:
  StreamChannel(UniqueFd descriptor, std::string peer)
      : descriptor_(std::move(descriptor)), peer_(std::move(peer)) {
    const int flags = ::fcntl(descriptor_.get(), F_GETFL);
    if (flags >= 0) ::fcntl(descriptor_.get(), F_SETFL, flags | O_NONBLOCK);
    bits_per_second_ = internal::LineSpeed(descriptor_.get());
  }

  Result<std::size_t> ReadSome(MutableBytes out, Deadline deadline) override {
    if (out.empty()) return Fail(ErrorCode::kInvalidArgument, "a read of no bytes");
    // Waiting comes first: where a terminal has nothing, a read of no bytes may mean just that.
    while (true) {
      KENNING_RETURN_IF_ERROR(Wait(POLLIN, deadline, "reading"));
      const ssize_t got = ::read(descriptor_.get(), out.data(), out.size());
      if (got > 0) return static_cast<std::size_t>(got);
      if (got == 0) return Lost("reading", EIO);
      if (errno != EINTR && errno != EAGAIN) return Lost("reading", errno);
    }
  }

  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline deadline) override {
    PieceCursor cursor(pieces);
    while (!cursor.done()) {
      KENNING_RETURN_IF_ERROR(Wait(POLLOUT, deadline, "writing"));
      const std::span<iovec> next = cursor.Next();
      const ssize_t sent = ::writev(descriptor_.get(), next.data(), static_cast<int>(next.size()));
      if (sent >= 0) {
        cursor.Advance(static_cast<std::size_t>(sent));
      } else if (errno != EINTR && errno != EAGAIN) {
        return Lost("writing", errno);
      }
    }
    return Drain(deadline);
  }

  void Shutdown() noexcept override { wake_.Wake(); }
  std::string peer() const override { return peer_; }
  int descriptor() const override { return descriptor_.get(); }

 private:
  Result<> Wait(short events, Deadline deadline, const char* doing) {
    switch (WaitFor(descriptor_.get(), events, deadline, &wake_)) {
      case WaitResult::kReady:
        return {};
      case WaitResult::kWoken:
        return Fail(ErrorCode::kTargetLost,
                    fmt::format("{}: the connection was ended here while {}", peer_, doing));
      case WaitResult::kDeadline:
        return Fail(ErrorCode::kDeadlineExceeded,
                    fmt::format("{}: no bytes {} within the time limit", peer_,
                                events == POLLIN ? "came" : "were taken"));
      case WaitResult::kFailed:
        break;
    }
    return Lost(doing, errno);
  }
  // Who has written next waits for an answer, and that time should not hold the time that our own
  // bytes wait in the driver. tcdrain keeps no deadline.
  Result<> Drain(Deadline deadline) {
    if (bits_per_second_ <= 0) return {};
    int waiting = 0;
    while (::ioctl(descriptor_.get(), TIOCOUTQ, &waiting) == 0 && waiting > 0) {
      if (deadline.expired()) return Wait(0, deadline, "writing");
      const double seconds = std::max(1e-4, 10.0 * waiting / bits_per_second_);
      const auto left_ns = deadline.remaining_ns();
      const Deadline pause = Deadline::After(
          left_ns ? std::min(seconds, static_cast<double>(*left_ns) * 1e-9) : seconds);
      // No events: only a hangup, Shutdown or the time end it.
      const WaitResult ended = WaitFor(descriptor_.get(), 0, pause, &wake_);
      if (ended == WaitResult::kReady) return Lost("writing", EIO);
      if (ended == WaitResult::kWoken) return Wait(0, deadline, "writing");
    }
    return {};
  }
  tl::unexpected<Error> Lost(const char* doing, int error_number) const {
    return Fail(ErrorCode::kTargetLost,
                fmt::format("{}: lost while {} ({}); is the device still plugged in?", peer_, doing,
                            SystemError(error_number)));
  }

  UniqueFd descriptor_;
  std::string peer_;
  WakeSignal wake_;
  int bits_per_second_ = 0;
};

}  // namespace

std::unique_ptr<Channel> MakeStreamChannel(UniqueFd descriptor, std::string peer) {
  return std::make_unique<StreamChannel>(std::move(descriptor), std::move(peer));
}

}  // namespace kenning::internal
