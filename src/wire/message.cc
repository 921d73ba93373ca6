// SPDX-License-Identifier: Apache-2.0
#include "wire/message.h"

#include <fmt/format.h>

namespace kenning::wire {
namespace {

constexpr std::uint64_t kTypeMask = (std::uint64_t{1} << 38) - 1;
constexpr std::size_t kChecksumAt = 5;
constexpr std::uint8_t kChecksumMagic = 0x4B;

}  // namespace

HeaderBytes EncodeHeader(const Header& header) {
  HeaderBytes bytes{};
  const std::uint64_t id = (static_cast<std::uint64_t>(header.type) & kTypeMask) |
                           (static_cast<std::uint64_t>(header.flow) << 38);
  for (std::size_t i = 0; i < 5; ++i) bytes[i] = static_cast<std::byte>(id >> (8 * i));
  bytes[kChecksumAt] = static_cast<std::byte>(header.checksum);
  for (std::size_t i = 0; i < 2; ++i)
    bytes[6 + i] = static_cast<std::byte>(header.flags >> (8 * i));
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[8 + i] = static_cast<std::byte>(header.payload_size >> (8 * i));
  }
  return bytes;
}

Header DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes) {
  const auto at = [&bytes](std::size_t i) { return std::to_integer<std::uint64_t>(bytes[i]); };
  std::uint64_t id = 0;
  for (std::size_t i = 0; i < 5; ++i) id |= at(i) << (8 * i);
  Header header;
  header.type = static_cast<MessageType>(id & kTypeMask);
  header.flow = static_cast<FlowControl>(id >> 38);
  header.checksum = static_cast<std::uint8_t>(at(kChecksumAt));
  header.flags = static_cast<std::uint16_t>(at(6) | at(7) << 8);
  header.payload_size =
      static_cast<std::uint32_t>(at(8) | at(9) << 8 | at(10) << 16 | at(11) << 24);
  return header;
}

std::uint8_t XorOf(ConstBytes bytes) {
  std::byte all{0};
  for (const std::byte byte : bytes) all ^= byte;
  return std::to_integer<std::uint8_t>(all);
}

std::uint8_t ChecksumOf(const HeaderBytes& header, ConstBytes payload) {
  return static_cast<std::uint8_t>(kChecksumMagic ^ XorOf(header) ^
                                   std::to_integer<std::uint8_t>(header[kChecksumAt]) ^
                                   XorOf(payload));
}

std::string TypeName(MessageType type) {
  constexpr std::string_view kNames[] = {"PING",
                                         "STATUS",
                                         "DATA",
                                         "MODEL",
                                         "PROCESS",
                                         "OUTPUT",
                                         "STATS",
                                         "IO_SPEC",
                                         "TRACE_DATA",
                                         "OPTIMIZERS",
                                         "OPTIMIZE_MODEL",
                                         "RUNTIME",
                                         "UNOPTIMIZED_MODEL",
                                         "LOGS"};
  constexpr std::string_view kNativeNames[] = {
      "HELLO", "AUTH",         "CLOCK",      "ECHO",    "MODEL_HAVE", "MODEL_PART", "MODEL_LOAD",
      "INFER", "INFER_SHAPES", "STATISTICS", "PROFILE", "OPTIMIZE",   "MODEL_FETCH"};
  constexpr std::uint64_t kFirstNative = 64;
  const auto number = static_cast<std::uint64_t>(type);
  if (number < std::size(kNames)) return std::string(kNames[number]);
  if (number >= kFirstNative && number - kFirstNative < std::size(kNativeNames)) {
    return std::string(kNativeNames[number - kFirstNative]);
  }
  return fmt::format("type {}", number);
}

std::string_view FlowName(FlowControl flow) {
  constexpr std::string_view kNames[] = {"REQUEST", "REQUEST_RETRANSMIT", "ACKNOWLEDGE",
                                         "TRANSMISSION"};
  return kNames[static_cast<std::size_t>(flow) & 3U];
}

std::string ToString(const Header& header) {
  return fmt::format("{} {} flags=0x{:04x} size={}", TypeName(header.type), FlowName(header.flow),
                     header.flags, header.payload_size);
}

}  // namespace kenning::wire
