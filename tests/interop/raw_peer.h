// SPDX-License-Identifier: Apache-2.0
/// \file
/// A peer that sends what it likes: messages of Kenning's mode and of the native mode by hand.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/core/transport.h"
#include "wire/message_reader.h"
#include "wire/native.h"

namespace kenning::interop {

using wire::MessageType;
using wire::NativeType;

struct RawAnswer {
  wire::Header header;
  std::string body;  ///< Behind the prefix, of a native answer.
  wire::NativePrefix prefix;
  std::string logs;  ///< Of LOGS before it.
};

/// Bytes of a request of Kenning's mode.
std::string Request(MessageType type, std::optional<std::string> payload = std::nullopt);
/// Bytes of a native request.
std::string Request(NativeType type, std::string_view body, std::uint32_t id = 1);
/// The same with any header.
std::string Bytes(const wire::Header& header, std::string_view payload = "");

class RawPeer {
 public:
  explicit RawPeer(std::unique_ptr<Channel> channel)
      : channel_(std::move(channel)), reader_(*channel_) {}
  /// Takes the greeting byte.
  bool Greeted(double seconds = 10);
  bool Send(std::string_view bytes);
  /// The next message that is no LOGS; nothing where the connection ended or was silent.
  std::optional<RawAnswer> Receive(double seconds = 30);
  std::optional<RawAnswer> Ask(const std::string& request, double seconds = 30) {
    return Send(request) ? Receive(seconds) : std::nullopt;
  }
  /// Whether the other side ends the connection within the time; what it still sends is dropped.
  bool Ended(double seconds);
  Channel& channel() { return *channel_; }

 private:
  std::unique_ptr<Channel> channel_;
  wire::MessageReader reader_;
};

}  // namespace kenning::interop
