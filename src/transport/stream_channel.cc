// SPDX-License-Identifier: Apache-2.0
#include "transport/stream_channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>

#include <cerrno>

#include "transport/pieces.h"
#include "transport/wait.h"

namespace kenning::internal {
namespace {

class StreamChannel final : public Channel {
 public:
  StreamChannel(UniqueFd descriptor, std::string peer)
      : descriptor_(std::move(descriptor)), peer_(std::move(peer)) {
    const int flags = ::fcntl(descriptor_.get(), F_GETFL);
    if (flags >= 0) ::fcntl(descriptor_.get(), F_SETFL, flags | O_NONBLOCK);
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
    return {};
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
  tl::unexpected<Error> Lost(const char* doing, int error_number) const {
    return Fail(ErrorCode::kTargetLost,
                fmt::format("{}: lost while {} ({}); is the device still plugged in?", peer_, doing,
                            SystemError(error_number)));
  }

  UniqueFd descriptor_;
  std::string peer_;
  WakeSignal wake_;
};

}  // namespace

std::unique_ptr<Channel> MakeStreamChannel(UniqueFd descriptor, std::string peer) {
  return std::make_unique<StreamChannel>(std::move(descriptor), std::move(peer));
}

}  // namespace kenning::internal
