// SPDX-License-Identifier: Apache-2.0
#include "raw_peer.h"

#include <array>

namespace kenning::interop {
namespace {

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::string Bytes(const wire::Header& header, std::string_view payload) {
  return Text(wire::EncodeHeader(header)) + std::string(payload);
}

std::string Request(MessageType type, std::optional<std::string> payload) {
  wire::Header header{.type = type, .flags = wire::kFirst | wire::kLast};
  if (payload) {
    header.flags |= wire::kHasPayload;
    header.payload_size = static_cast<std::uint32_t>(payload->size());
  }
  return Bytes(header, payload.value_or(""));
}

std::string Request(NativeType type, std::string_view body, std::uint32_t id) {
  const ConstBytes piece = std::as_bytes(std::span(body.data(), body.size()));
  const wire::NativePrefix prefix{.request_id = id};
  const wire::NativeHead head =
      wire::MakeNativeHead(type, wire::FlowControl::kRequest, 0, prefix, {&piece, 1});
  return Text(head.bytes) + std::string(body);
}

bool RawPeer::Greeted(double seconds) {
  std::byte greeting{1};
  return reader_.Read({&greeting, 1}, Deadline::After(seconds)) && greeting == std::byte{0};
}

bool RawPeer::Send(std::string_view bytes) {
  const ConstBytes piece = std::as_bytes(std::span(bytes.data(), bytes.size()));
  return channel_->WriteAll({&piece, 1}, Deadline::After(30)).has_value();
}

std::optional<RawAnswer> RawPeer::Receive(double seconds) {
  const Deadline deadline = Deadline::After(seconds);
  RawAnswer answer;
  while (true) {
    bool ended = false;
    const auto header = reader_.ReadHeader(ended, deadline);
    if (!header || ended) return std::nullopt;
    std::vector<std::byte> body(header->body_size());
    if (!body.empty() && !reader_.Read(body, deadline)) return std::nullopt;
    if (header->type == MessageType::kLogs) {
      answer.logs += Text(body);
      continue;
    }
    answer.header = *header;
    std::span<const std::byte> rest = body;
    if (static_cast<std::uint64_t>(header->type) >= wire::kFirstNativeType &&
        body.size() >= wire::kNativePrefixBytes) {
      answer.prefix = wire::DecodePrefix(rest.first<wire::kNativePrefixBytes>());
      rest = rest.subspan(wire::kNativePrefixBytes);
    }
    answer.body = Text(rest);
    return answer;
  }
}

bool RawPeer::Ended(double seconds) {
  const Deadline deadline = Deadline::After(seconds);
  std::array<std::byte, 4096> dropped;
  while (true) {
    const auto got = channel_->ReadSome(dropped, deadline);
    if (!got) return got.error().code() != ErrorCode::kDeadlineExceeded;
    if (*got == 0) return true;
  }
}

}  // namespace kenning::interop
