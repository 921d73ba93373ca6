// SPDX-License-Identifier: Apache-2.0
#include "wire/message_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace kenning::wire {
namespace {

// One read takes a whole small request and those that a client sent ahead; of a large payload no
// more than this is copied.
constexpr std::size_t kBufferBytes = std::size_t{16} << 10;
// A shorter rest of a payload comes through the buffer, so that the next message may come with it.
constexpr std::size_t kReadInPlaceBytes = std::size_t{4} << 10;

}  // namespace

MessageReader::MessageReader(Channel& channel) : channel_(channel), buffer_(kBufferBytes) {}

// Reads more behind what is there. False: the stream has ended.
Result<bool> MessageReader::Fill(Deadline deadline) {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (end_ == buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  KENNING_ASSIGN_OR_RETURN(const std::size_t got,
                           channel_.ReadSome(MutableBytes(buffer_).subspan(end_), deadline));
  end_ += got;
  return got > 0;
}

Result<bool> MessageReader::Await(Deadline deadline) {
  if (buffered() > 0) return true;
  return Fill(deadline);
}

Result<Header> MessageReader::ReadHeader(bool& ended, Deadline deadline) {
  ended = false;
  while (buffered() < kHeaderBytes) {
    KENNING_ASSIGN_OR_RETURN(const bool more, Fill(deadline));
    if (more) continue;
    if (buffered() == 0) {
      ended = true;
      return Header{};
    }
    return Fail(ErrorCode::kTargetLost,
                fmt::format("{} closed the connection {} bytes into the header of a message",
                            channel_.peer(), buffered()));
  }
  std::memcpy(last_header_.data(), buffer_.data() + begin_, kHeaderBytes);
  begin_ += kHeaderBytes;
  return DecodeHeader(last_header_);
}

Result<> MessageReader::Read(MutableBytes out, Deadline deadline) {
  std::size_t done = 0;
  while (done < out.size()) {
    if (buffered() == 0 && out.size() - done >= kReadInPlaceBytes) {
      KENNING_ASSIGN_OR_RETURN(const std::size_t got,
                               channel_.ReadSome(out.subspan(done), deadline));
      if (got == 0) return Ended(done, out.size());
      done += got;
      continue;
    }
    if (buffered() == 0) {
      KENNING_ASSIGN_OR_RETURN(const bool more, Fill(deadline));
      if (!more) return Ended(done, out.size());
    }
    const std::size_t take = std::min(buffered(), out.size() - done);
    std::memcpy(out.data() + done, buffer_.data() + begin_, take);
    begin_ += take;
    done += take;
  }
  return {};
}

Result<> MessageReader::Skip(std::uint64_t count, Deadline deadline) {
  std::uint64_t done = 0;
  while (done < count) {
    if (buffered() == 0) {
      KENNING_ASSIGN_OR_RETURN(const bool more, Fill(deadline));
      if (!more) return Ended(done, count);
    }
    const std::uint64_t take = std::min<std::uint64_t>(buffered(), count - done);
    begin_ += static_cast<std::size_t>(take);
    done += take;
  }
  return {};
}

Result<> MessageReader::Ended(std::uint64_t done, std::uint64_t wanted) const {
  return Fail(ErrorCode::kTargetLost, fmt::format("{} closed the connection after {} of {} bytes",
                                                  channel_.peer(), done, wanted));
}

}  // namespace kenning::wire
