// SPDX-License-Identifier: Apache-2.0
#include "lingering.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace kenning::target {
namespace {

constexpr std::size_t kMost = 32;
constexpr std::int64_t kTime_ns = 2'000'000'000;
constexpr std::uint64_t kMostBytes = std::uint64_t{64} << 20;

}  // namespace

void Lingering::Add(std::unique_ptr<Channel> channel, std::int64_t now_ns) {
  if (channel == nullptr || channel->descriptor() < 0) return;
  if (::shutdown(channel->descriptor(), SHUT_WR) != 0) return;  // Gone already.
  if (open_.size() >= kMost) open_.erase(open_.begin());
  open_.push_back({std::move(channel), now_ns + kTime_ns, kMostBytes});
}

void Lingering::AddTo(std::vector<pollfd>& polled) const {
  for (const One& one : open_) polled.push_back({one.channel->descriptor(), POLLIN, 0});
}

bool Lingering::Done(One& one, std::int64_t now_ns) {
  if (now_ns >= one.until_ns) return true;
  static std::array<std::byte, 65536> unread;
  // A bounded share of each turn, so that a fast sender does not hold up the others.
  for (int turn = 0; turn < 16; ++turn) {
    const ssize_t got =
        ::recv(one.channel->descriptor(), unread.data(), unread.size(), MSG_DONTWAIT);
    if (got == 0) return true;
    if (got < 0) return errno != EAGAIN && errno != EINTR;
    const auto count = static_cast<std::uint64_t>(got);
    if (count >= one.bytes_left) return true;
    one.bytes_left -= count;
  }
  return false;
}

void Lingering::Work(std::int64_t now_ns) {
  std::erase_if(open_, [&](One& one) { return Done(one, now_ns); });
}

}  // namespace kenning::target
