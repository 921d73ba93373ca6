// SPDX-License-Identifier: Apache-2.0
/// \file
/// The 12-byte header of Kenning's protocol and its vocabulary (docs/formats/wire.md). No sockets.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 5 | little-endian: bits 0-37 type, bits 38-39 flow control |
/// | 5 | 1 | checksum, see ChecksumOf; 0 without error recovery |
/// | 6 | 2 | flags |
/// | 8 | 4 | size of the payload, which is there only with kHasPayload |
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "kenning/core/transport.h"

namespace kenning::wire {

inline constexpr std::size_t kHeaderBytes = 12;
using HeaderBytes = std::array<std::byte, kHeaderBytes>;

/// A 38-bit number; values below 64 are Kenning's, the others the native mode's (wire/native.h).
enum class MessageType : std::uint64_t {
  kPing = 0,
  kStatus = 1,
  kData = 2,
  kModel = 3,
  kProcess = 4,
  kOutput = 5,
  kStats = 6,
  kIoSpec = 7,
  kTraceData = 8,
  kOptimizers = 9,
  kOptimizeModel = 10,
  kRuntime = 11,
  kUnoptimizedModel = 12,
  kLogs = 13,
};

enum class FlowControl : std::uint8_t {
  kRequest = 0,
  kRequestRetransmit = 1,
  kAcknowledge = 2,
  kTransmission = 3,
};

/// Bits of the header's flags.
enum Flag : std::uint16_t {
  kSuccess = 1U << 0,
  kFail = 1U << 1,
  kIsHostMessage = 1U << 2,
  kHasPayload = 1U << 3,
  kFirst = 1U << 4,
  kLast = 1U << 5,
  kIsKenning = 1U << 6,
  kIsZephyr = 1U << 7,
  /// Reserved by Kenning, which ignores it. In a request: the client speaks the native mode, too.
  /// In the answer to such a request: so does the server.
  kNativeOffer = 1U << 8,
  kSerialized = 1U << 12,  ///< Of IO_SPEC: JSON text turned into the structure of UART.
};

/// What the one-byte payload of an answer names.
enum class ServerAction : std::uint8_t {
  kWaitingForClient = 0,
  kClientConnected = 1,
  kUploadingIoSpec = 2,
  kUploadingModel = 3,
  kUploadingUnoptimizedModel = 4,
  kUploadingInput = 5,
  kProcessingInput = 6,
  kExtractingOutput = 7,
  kComputingStatistics = 8,
  kOptimizingModel = 9,
  kUploadingOptimizers = 10,
  kUploadingRuntime = 11,
  kIdle = 12,
};

struct Header {
  MessageType type = MessageType::kPing;
  FlowControl flow = FlowControl::kRequest;
  std::uint8_t checksum = 0;
  std::uint16_t flags = 0;
  std::uint32_t payload_size = 0;  ///< As sent; see body_size.

  bool has(Flag flag) const { return (flags & flag) != 0; }
  /// Bytes that follow the header on the wire: 0 without kHasPayload, whatever the size field says.
  std::uint32_t body_size() const { return has(kHasPayload) ? payload_size : 0; }
  bool operator==(const Header&) const = default;
};

HeaderBytes EncodeHeader(const Header& header);
/// Every 12 bytes are a header; meaning is checked by who reads it.
Header DecodeHeader(std::span<const std::byte, kHeaderBytes> bytes);

/// Kenning's checksum: 0x4B xor all bytes of header and payload but the checksum byte itself.
std::uint8_t ChecksumOf(const HeaderBytes& header, ConstBytes payload);
/// The xor of bytes, for checksums over pieces.
std::uint8_t XorOf(ConstBytes bytes);

/// "IO_SPEC", "INFER", "type 99".
std::string TypeName(MessageType type);
std::string_view FlowName(FlowControl flow);
/// "DATA REQUEST flags=0x0038 size=1536", for logs.
std::string ToString(const Header& header);

}  // namespace kenning::wire
