// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads headers and payloads from a Channel with few system calls and no copy of large payloads.
#pragma once

#include <memory>
#include <vector>

#include "kenning/core/transport.h"
#include "wire/message.h"

namespace kenning::wire {

/// Borrows the channel. Allocates nothing after construction. One thread.
class MessageReader {
 public:
  explicit MessageReader(Channel& channel);
  /// Waits for a first byte of the next message, so that waiting and reading can have deadlines of
  /// their own. False: the stream ended in order.
  Result<bool> Await(Deadline deadline);
  /// The next header. `ended` is set, and a default header returned, where the stream ended in
  /// order between two messages. \return kTargetLost in the middle of a header, or an error of the
  /// channel.
  Result<Header> ReadHeader(bool& ended, Deadline deadline);
  /// The next bytes, exactly. What was read ahead is copied, the rest is read in place.
  /// \return kTargetLost where the stream ends before.
  Result<> Read(MutableBytes out, Deadline deadline);
  /// Reads and drops. For refused payloads: the caller caps `count`.
  Result<> Skip(std::uint64_t count, Deadline deadline);
  /// Bytes read ahead: a further request may be answered without waiting.
  std::size_t buffered() const { return end_ - begin_; }
  /// The 12 bytes of the last header, for checksums.
  const HeaderBytes& last_header_bytes() const { return last_header_; }

 private:
  Result<bool> Fill(Deadline deadline);
  Result<> Ended(std::uint64_t done, std::uint64_t wanted) const;
  Channel& channel_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  HeaderBytes last_header_{};
};

}  // namespace kenning::wire
