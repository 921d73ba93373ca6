// SPDX-License-Identifier: Apache-2.0
/// \file
/// The native mode: what kenning's own host and agent speak once both have shown kNativeOffer
/// (docs/formats/wire.md). Kenning's header, types of its own, never split, CRC32C over all bytes,
/// one round trip a sample.
///
/// Every native payload begins with a prefix of 24 bytes, little-endian:
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 4 | CRC32C of the header (its checksum byte as 0), of the prefix from offset 4, of the
/// body | | 4 | 4 | request id, chosen by the client; the answer repeats it | | 8 | 4 | request:
/// milliseconds the client waits, 0 for no limit. answer: a StatusCode | | 12 | 4 | number of
/// samples in the body (INFER), else 0 | | 16 | 8 | clock of the sender when the message was made,
/// nanoseconds | Answers are transmissions of the request's type with kSuccess or kFail; the body
/// of a failure is UTF-8 text for people. The checksum byte of a native header is 0.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "kenning/base/error.h"
#include "wire/message.h"

namespace kenning::wire {

inline constexpr std::uint16_t kNativeVersion = 1;
inline constexpr std::uint64_t kFirstNativeType = 64;
inline constexpr std::size_t kNativePrefixBytes = 24;
using NativePrefixBytes = std::array<std::byte, kNativePrefixBytes>;

/// Bodies; "json" is a UTF-8 object whose members docs/formats/wire.md lists. Strings of paths are
/// never sent.
enum class NativeType : std::uint64_t {
  kHello = 64,  ///< -> json {versions, client, nonce}. <- json: what the target is and has, limits,
                ///< whether authentication is needed, nonce.
  kAuth = 65,   ///< -> 32 bytes HMAC-SHA256(token, "client" nonces). <- 32 bytes, "server".
  kClock = 66,  ///< -> empty. <- u64 received_ns, u64 sent_ns, of the target's clock.
  kEcho = 67,   ///< -> any bytes. <- the same bytes.
  kModelHave = 68,  ///< -> json {sha256, size}. <- u64: how many bytes from the start are there.
  kModelPart = 69,  ///< -> 32 bytes SHA-256 of the whole, u64 offset, bytes. <- u64: bytes there.
  kModelLoad = 70,  ///< -> json {sha256, format, io_spec, runtime: {type, parameters}, profiling}.
                    ///< <- json {io_spec, engine, engine_version, runtime, load_ns}.
  kInfer = 71,      ///< -> per sample, inputs in the order of the spec, concatenated. <- per sample
                    ///< InferTimes, then per sample the outputs. A dynamic batch: see kInferShapes.
  kInferShapes = 72,  ///< -> json {shapes: [[…] per input]}: input shapes of the INFERs to come.
                      ///< <- json {outputs: [{name, dtype, shape}]}.
  kStatistics = 73,   ///< -> empty. <- json: readings of the target (docs/formats/wire.md).
  kProfile = 74,      ///< -> empty. <- json: operator profiles of the session.
  kOptimize =
      75,  ///< -> json {model: {sha256, format, io_spec}, optimizers: [{type, parameters}]}.
           ///< <- json {sha256, size, format, io_spec, provenance}.
  kModelFetch = 76,  ///< -> 32 bytes SHA-256, u64 offset, u32 most bytes. <- bytes.
};
/// Whether it is one of these; numbers above them are answered in Kenning's mode.
inline bool IsNative(MessageType type) {
  const auto number = static_cast<std::uint64_t>(type);
  return number >= kFirstNativeType &&
         number <= static_cast<std::uint64_t>(NativeType::kModelFetch);
}

/// Of answers. Numbers never change.
enum class StatusCode : std::uint32_t {
  kOk = 0,
  kInvalidArgument = 1,
  kInvalidModel = 2,
  kInvalidData = 3,
  kNotFound = 4,
  kUnavailable = 5,
  kFailedPrecondition = 6,
  kUnsupported = 7,
  kResourceExhausted = 8,
  kCancelled = 9,
  kDeadlineExceeded = 10,
  kIo = 11,
  kEngineFailure = 12,
  kInternal = 13,
  kUnauthenticated = 14,  ///< As Error: kUnavailable.
  kBusy = 15,             ///< Another client is served. As Error: kUnavailable.
};
StatusCode StatusOf(ErrorCode code);
ErrorCode ErrorCodeOf(StatusCode status);

struct NativePrefix {
  std::uint32_t crc32c = 0;
  std::uint32_t request_id = 0;
  std::uint32_t deadline_or_status = 0;
  std::uint32_t sample_count = 0;
  std::int64_t sender_clock_ns = 0;
  bool operator==(const NativePrefix&) const = default;
};
NativePrefixBytes EncodePrefix(const NativePrefix& prefix);
NativePrefix DecodePrefix(std::span<const std::byte, kNativePrefixBytes> bytes);

/// When one sample was where, on the target's monotonic clock. 32 bytes, little-endian, in order.
struct InferTimes {
  std::int64_t received_ns = 0;      ///< The last byte of the request was read.
  std::int64_t invoke_start_ns = 0;  ///< Right before Session::Invoke.
  std::int64_t invoke_end_ns = 0;    ///< Right after it; nothing else lies within.
  std::int64_t sent_ns = 0;          ///< Right before the answer is written.
};
inline constexpr std::size_t kInferTimesBytes = 32;
void EncodeInferTimes(const InferTimes& times, std::span<std::byte, kInferTimesBytes> out);
InferTimes DecodeInferTimes(std::span<const std::byte, kInferTimesBytes> bytes);

/// Header and prefix of a native message over the body's pieces, CRC computed: write it, then the
/// pieces. \pre the sum of the pieces and the prefix fits 32 bits.
struct NativeHead {
  std::array<std::byte, kHeaderBytes + kNativePrefixBytes> bytes;
};
NativeHead MakeNativeHead(NativeType type, FlowControl flow, std::uint16_t flags,
                          NativePrefix prefix, std::span<const ConstBytes> body);
/// The CRC that MakeNativeHead puts in.
std::uint32_t NativeCrc(const Header& header, const NativePrefix& prefix,
                        std::span<const ConstBytes> body);

/// CRC32C (Castagnoli), with the processor's instructions where it has them. `crc` continues.
std::uint32_t Crc32c(ConstBytes bytes, std::uint32_t crc = 0);

}  // namespace kenning::wire
