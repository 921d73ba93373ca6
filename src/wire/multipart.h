// SPDX-License-Identifier: Apache-2.0
/// \file
/// Messages that are longer than one part: splitting what goes out, joining what comes in. Flags as
/// Kenning 0.8.2 sets them: kFirst on the first part, kLast on the last, all others on every part;
/// the receiver keeps those of the first. Parts of different types may interleave.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <span>
#include <vector>

#include "kenning/core/transport.h"
#include "wire/message.h"
#include "wire/message_reader.h"

namespace kenning::wire {

/// Lays messages out for one WriteAll. Payloads are borrowed until Clear. Keeps its memory, so that
/// nothing is allocated once the largest number of parts has been seen.
class OutgoingParts {
 public:
  /// \param max_message_size of one part with its header; at least 13.
  OutgoingParts(std::uint32_t max_message_size, bool checksums);
  /// Adds one message in as many parts as it takes. Of `header`, type, flow and flags count;
  /// kHasPayload, kFirst, kLast, size and checksum are set here. An empty payload is one part
  /// without kHasPayload.
  void Add(const Header& header, std::span<const ConstBytes> payload);
  /// Adds bytes as they are.
  void AddRaw(ConstBytes bytes) { pieces_.push_back(bytes); }
  std::span<const ConstBytes> pieces() const { return pieces_; }
  bool empty() const { return pieces_.empty(); }
  void Clear();

 private:
  void AddPart(Header header, std::span<const ConstBytes> payload, std::size_t skip,
               std::size_t size);
  std::size_t room_;
  bool checksums_;
  std::deque<HeaderBytes> headers_;  // addresses stay
  std::size_t headers_used_ = 0;
  std::vector<ConstBytes> pieces_;
};

/// A whole message. `payload` is valid until the joiner sees another part of this type, or Drop.
struct JoinedMessage {
  Header header;  ///< Of the first part, with kLast; the size is that of the whole payload.
  ConstBytes payload;
};

/// Joins the parts of Kenning's message types, one message of each type at a time.
class PartJoiner {
 public:
  /// `cap`: the most payload bytes of one message of that type.
  explicit PartJoiner(std::function<std::uint64_t(MessageType)> cap);
  /// Whether this part belongs to a message that was refused before its last part: to be read and
  /// forgotten. Asked once a part, before Check.
  bool Swallows(const Header& header);
  /// Refuses the message that this part belongs to; Check does so itself where it fails.
  void Refuse(const Header& header);
  /// Whether this part may come now, before anything of its body is read. A part with kFirst begins
  /// anew where an unfinished message of its type is there. \return kInvalidData (no kFirst
  /// before), kResourceExhausted (above the cap), kUnsupported (a type that Kenning has not).
  Result<> Check(const Header& header);
  /// Reads the part's body behind what is there. Memory grows with the bytes that come, not with
  /// what the header claims. \return the bytes of this part, or the reader's error.
  Result<ConstBytes> ReadBody(const Header& header, MessageReader& reader, Deadline deadline);
  /// \pre Check and ReadBody of a part with kLast.
  JoinedMessage Finish(const Header& header);
  /// Forgets the message of that type; large memory is given back.
  void Drop(MessageType type);
  void DropAll();

 private:
  struct Partial {
    bool open = false;
    bool refused = false;
    Header first;
    std::vector<std::byte> buffer;
    std::size_t size = 0;
  };
  Partial* Of(MessageType type);
  Result<> CheckRules(const Header& header, Partial& partial);
  std::function<std::uint64_t(MessageType)> cap_;
  std::array<Partial, 14> partials_;
};

}  // namespace kenning::wire
