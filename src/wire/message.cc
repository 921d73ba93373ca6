// SPDX-License-Identifier: Apache-2.0
#include "wire/message.h"

#include <fmt/format.h>

#include "wire/little_endian.h"

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
  StoreLe(&bytes[0], static_cast<std::uint32_t>(id));
  StoreLe(&bytes[4], static_cast<std::uint8_t>(id >> 32));
  bytes[kChecksumAt] = static_cast<std::byte>(header.checksum);
  StoreLe(&bytes[6], header.flags);
  StoreLe(&bytes[8], header.payload_size);
  return bytes;
}

Header DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes) {
  const std::uint64_t id =
      LoadLe<std::uint32_t>(&bytes[0]) | std::uint64_t{LoadLe<std::uint8_t>(&bytes[4])} << 32;
  Header header;
  header.type = static_cast<MessageType>(id & kTypeMask);
  header.flow = static_cast<FlowControl>(id >> 38);
  header.checksum = std::to_integer<std::uint8_t>(bytes[kChecksumAt]);
  header.flags = LoadLe<std::uint16_t>(&bytes[6]);
  header.payload_size = LoadLe<std::uint32_t>(&bytes[8]);
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
