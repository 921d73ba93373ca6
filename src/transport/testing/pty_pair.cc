// SPDX-License-Identifier: Apache-2.0
#include "transport/testing/pty_pair.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pty.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "kenning/base/clock.h"
#include "transport/serial_line.h"
#include "transport/wait.h"

namespace kenning::testing {
namespace {

// Bytes travel in pieces of about this much time: short against any time limit of the protocol,
// long enough for a thread that wakes late.
constexpr double kPieceSeconds = 0.002;
constexpr int kIdleMs = 20;

}  // namespace

Result<> PtyPair::OpenEnd(End& end) {
  int master = -1;
  int slave = -1;
  char path[256] = "";
  if (::openpty(&master, &slave, path, nullptr, nullptr) != 0) {
    return Fail(ErrorCode::kIo,
                fmt::format("no pseudo-terminal: {}", internal::SystemError(errno)));
  }
  end.master.reset(master);
  end.slave.reset(slave);
  end.path = path;
  for (const int descriptor : {master, slave}) {
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  }
  // Without echo from the start, whoever opens it when.
  internal::SetRawLine(slave, 115200);
  return {};
}

Result<std::unique_ptr<PtyPair>> PtyPair::Make(int baud_rate) {
  std::unique_ptr<PtyPair> pair(new PtyPair(baud_rate));
  for (End& end : pair->ends_) KENNING_RETURN_IF_ERROR(OpenEnd(end));
  pair->thread_ = std::thread([cable = pair.get()] { cable->Pump(); });
  return pair;
}

PtyPair::~PtyPair() { Cut(); }

void PtyPair::SetDisturb(Disturb disturb) {
  const std::lock_guard lock(disturb_mutex_);
  disturb_ = std::move(disturb);
}

void PtyPair::Cut() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  for (End& end : ends_) {
    end.slave.reset();
    end.master.reset();
  }
}

bool PtyPair::Take(std::size_t from, std::int64_t start_ns) {
  const auto most = static_cast<std::size_t>(baud_rate_ * kPieceSeconds / 10);
  Piece& piece = on_the_line_[from];
  piece.bytes.resize(std::max<std::size_t>(1, most));
  const ssize_t got = ::read(ends_[from].master.get(), piece.bytes.data(), piece.bytes.size());
  piece.bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  piece.due_ns =
      start_ns + static_cast<std::int64_t>(1e10 / baud_rate_) * std::max<ssize_t>(got, 0);
  return got > 0;
}

void PtyPair::Deliver(std::size_t from) {
  std::vector<std::byte> bytes = std::exchange(on_the_line_[from].bytes, {});
  const std::uint64_t at = forwarded_[from].fetch_add(bytes.size());
  {
    const std::lock_guard lock(disturb_mutex_);
    if (disturb_) disturb_(static_cast<Direction>(from), at, bytes);
  }
  // What the other side does not read in time is lost, as on a line without flow control.
  [[maybe_unused]] const auto sent =
      ::write(ends_[1 - from].master.get(), bytes.data(), bytes.size());
}

void PtyPair::Pump() {
  while (!stop_) {
    pollfd ends[2] = {};
    const std::int64_t now_ns = MonotonicNowNs();
    std::int64_t next_ns = now_ns + std::int64_t{kIdleMs} * 1'000'000;
    for (std::size_t i = 0; i < 2; ++i) {
      // Bytes that waited follow those before without a gap, however late this thread wakes.
      while (!on_the_line_[i].bytes.empty() && on_the_line_[i].due_ns <= now_ns) {
        Deliver(i);
        Take(i, on_the_line_[i].due_ns);
      }
      const bool busy = !on_the_line_[i].bytes.empty();
      ends[i] = {.fd = busy ? -1 : ends_[i].master.get(), .events = POLLIN, .revents = 0};
      if (busy) next_ns = std::min(next_ns, on_the_line_[i].due_ns);
    }
    const timespec pause = {.tv_sec = 0, .tv_nsec = static_cast<long>(next_ns - now_ns)};
    if (::ppoll(ends, 2, &pause, nullptr) <= 0) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      if ((ends[i].revents & POLLIN) != 0) Take(i, MonotonicNowNs());
    }
  }
}

}  // namespace kenning::testing
