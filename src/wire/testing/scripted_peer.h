// SPDX-License-Identifier: Apache-2.0
/// \file
/// A target for tests of the client: for each request that is written, the answers that become
/// readable. Nothing waits: what would have to wait is a deadline that has passed.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "wire/message.h"
#include "wire/native.h"

namespace kenning::wire::testing {

inline std::string TextOf(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// One message of Kenning's protocol.
inline std::string Message(MessageType type, FlowControl flow, int flags,
                           const std::string& payload) {
  Header header;
  header.type = type;
  header.flow = flow;
  header.flags = static_cast<std::uint16_t>(flags | (payload.empty() ? 0 : kHasPayload));
  header.payload_size = static_cast<std::uint32_t>(payload.size());
  return TextOf(EncodeHeader(header)) + payload;
}
/// A whole answer as servers give it.
inline std::string Answer(MessageType type, const std::string& payload, int flags = kSuccess) {
  return Message(type, FlowControl::kTransmission, flags | kFirst | kLast | kIsKenning, payload);
}
inline std::string NativeAnswer(NativeType type, std::uint32_t id, const std::string& body,
                                StatusCode status = StatusCode::kOk) {
  NativePrefix prefix;
  prefix.request_id = id;
  prefix.deadline_or_status = static_cast<std::uint32_t>(status);
  const ConstBytes piece = std::as_bytes(std::span(body));
  const NativeHead head =
      MakeNativeHead(type, FlowControl::kTransmission, status == StatusCode::kOk ? kSuccess : kFail,
                     prefix, {&piece, 1});
  return TextOf(head.bytes) + body;
}

/// What a peer saw and will say; outlives the channel.
struct PeerScript {
  /// Gets each whole message that the client wrote, and gives the bytes that answer it.
  std::function<std::string(const Header& header, const std::string& payload)> answer;
  std::string readable;  ///< Not read yet; begins with what is said unasked.
  std::string written;   ///< All bytes of the client.
  bool ends = false;     ///< The stream ends behind what is readable; else there is silence.
  std::size_t most_bytes_a_read = SIZE_MAX;
};

class ScriptedPeer final : public Channel {
 public:
  explicit ScriptedPeer(std::shared_ptr<PeerScript> script) : script_(std::move(script)) {}
  Result<std::size_t> ReadSome(MutableBytes out, Deadline) override {
    std::string& bytes = script_->readable;
    if (bytes.empty() && script_->ends) return 0;
    if (bytes.empty()) return Fail(ErrorCode::kDeadlineExceeded, "the script is silent");
    const std::size_t count = std::min({out.size(), bytes.size(), script_->most_bytes_a_read});
    std::memcpy(out.data(), bytes.data(), count);
    bytes.erase(0, count);
    return count;
  }
  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline) override {
    for (const ConstBytes piece : pieces) {
      script_->written += TextOf(piece);
      open_ += TextOf(piece);
    }
    while (open_.size() >= kHeaderBytes) {
      HeaderBytes bytes;
      std::memcpy(bytes.data(), open_.data(), bytes.size());
      const Header header = DecodeHeader(bytes);
      if (open_.size() < kHeaderBytes + header.body_size()) break;
      const std::string payload = open_.substr(kHeaderBytes, header.body_size());
      open_.erase(0, kHeaderBytes + header.body_size());
      if (script_->answer) script_->readable += script_->answer(header, payload);
    }
    return {};
  }
  void Shutdown() noexcept override {}
  std::string peer() const override { return "script"; }

 private:
  std::shared_ptr<PeerScript> script_;
  std::string open_;  ///< The beginning of a message.
};

}  // namespace kenning::wire::testing
