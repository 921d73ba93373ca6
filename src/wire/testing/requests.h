// SPDX-License-Identifier: Apache-2.0
/// \file
/// Bytes of requests, and answers read from bytes.
#pragma once

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "wire/logs.h"
#include "wire/multipart.h"
#include "wire/native.h"
#include "wire/testing/memory_channel.h"

namespace kenning::wire::testing {

/// A client's side of an exchange, as bytes.
class Requests {
 public:
  explicit Requests(bool checksums = false, std::uint32_t max_message_size = 1U << 20)
      : parts_(max_message_size, checksums) {}
  Requests& Raw(ConstBytes more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return *this;
  }
  Requests& Head(const Header& header) { return Raw(EncodeHeader(header)); }
  Requests& Kenning(MessageType type, ConstBytes payload = {}, std::uint16_t flags = 0) {
    const ConstBytes pieces[] = {payload};
    parts_.Add({.type = type, .flags = flags}, pieces);
    for (const ConstBytes piece : parts_.pieces()) Raw(piece);
    parts_.Clear();
    return *this;
  }
  Requests& Kenning(MessageType type, std::string_view payload) {
    return Kenning(type, BytesOf(payload));
  }
  Requests& Native(NativeType type, std::uint32_t id, ConstBytes body = {},
                   NativePrefix prefix = {}) {
    prefix.request_id = id;
    const ConstBytes pieces[] = {body};
    Raw(MakeNativeHead(type, FlowControl::kRequest, 0, prefix, pieces).bytes);
    return Raw(body);
  }
  Requests& Native(NativeType type, std::uint32_t id, std::string_view body) {
    return Native(type, id, BytesOf(body));
  }
  Requests& Infer(std::uint32_t id, std::uint32_t count, ConstBytes body) {
    return Native(NativeType::kInfer, id, body, {.sample_count = count});
  }
  std::vector<std::byte> bytes;

 private:
  OutgoingParts parts_;
};

/// One message as received; a native one has its prefix apart.
struct Received {
  Header header;
  NativePrefix prefix;
  std::vector<std::byte> body;
  bool crc_right = true;

  NativeType native_type() const { return static_cast<NativeType>(header.type); }
  StatusCode status() const { return static_cast<StatusCode>(prefix.deadline_or_status); }
  std::string text() const {
    return std::string(reinterpret_cast<const char*>(body.data()), body.size());
  }
  std::vector<LogRecord> logs() const { return DecodeLogs(body); }
  template <typename T>
  std::vector<T> as(std::size_t offset = 0) const {
    std::vector<T> values((body.size() - offset) / sizeof(T));
    if (!values.empty())
      std::memcpy(values.data(), body.data() + offset, values.size() * sizeof(T));
    return values;
  }
  /// The action byte; -1 where there is none.
  int action() const { return body.size() == 1 ? std::to_integer<int>(body[0]) : -1; }
};

/// Messages in `bytes`, joined. `greeting`: a first byte is skipped. Bytes that are no whole
/// message are left out.
inline std::vector<Received> ParseMessages(ConstBytes bytes, bool greeting = true) {
  std::vector<Received> messages;
  if (greeting && !bytes.empty()) bytes = bytes.subspan(1);
  ScriptedChannel channel(bytes);
  MessageReader reader(channel);
  PartJoiner joiner([](MessageType) { return std::uint64_t{1} << 32; });
  for (bool ended = false;;) {
    const auto header = reader.ReadHeader(ended, Deadline::Never());
    if (!header || ended) return messages;
    Received one{.header = *header};
    // A server without the native mode answers these types as any that it does not know.
    if (IsNative(header->type) && header->payload_size >= kNativePrefixBytes) {
      NativePrefixBytes prefix;
      if (!reader.Read(prefix, Deadline::Never())) return messages;
      one.prefix = DecodePrefix(prefix);
      one.body.resize(header->payload_size - kNativePrefixBytes);
      if (!reader.Read(one.body, Deadline::Never())) return messages;
      const ConstBytes pieces[] = {one.body};
      one.crc_right = NativeCrc(*header, one.prefix, pieces) == one.prefix.crc32c;
    } else {
      if (!joiner.Check(*header)) {  // an unknown type
        one.body.resize(header->body_size());
        if (!reader.Read(one.body, Deadline::Never())) return messages;
      } else {
        if (!joiner.ReadBody(*header, reader, Deadline::Never())) return messages;
        if (!header->has(kLast)) continue;
        const JoinedMessage joined = joiner.Finish(*header);
        one.header = joined.header;
        one.body.assign(joined.payload.begin(), joined.payload.end());
      }
    }
    messages.push_back(std::move(one));
  }
}

}  // namespace kenning::wire::testing
