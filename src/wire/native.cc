// SPDX-License-Identifier: Apache-2.0
#include "wire/native.h"

#include <algorithm>

#include "kenning/base/check.h"
#include "wire/little_endian.h"

namespace kenning::wire {

StatusCode StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kInvalidScenario:
      return StatusCode::kInvalidArgument;
    case ErrorCode::kInvalidModel:
      return StatusCode::kInvalidModel;
    case ErrorCode::kInvalidData:
      return StatusCode::kInvalidData;
    case ErrorCode::kNotFound:
      return StatusCode::kNotFound;
    case ErrorCode::kUnavailable:
      return StatusCode::kUnavailable;
    case ErrorCode::kFailedPrecondition:
      return StatusCode::kFailedPrecondition;
    case ErrorCode::kUnsupported:
      return StatusCode::kUnsupported;
    case ErrorCode::kResourceExhausted:
      return StatusCode::kResourceExhausted;
    case ErrorCode::kCancelled:
      return StatusCode::kCancelled;
    case ErrorCode::kDeadlineExceeded:
      return StatusCode::kDeadlineExceeded;
    case ErrorCode::kTargetLost:
    case ErrorCode::kIo:
      return StatusCode::kIo;
    case ErrorCode::kEngineFailure:
      return StatusCode::kEngineFailure;
    case ErrorCode::kInternal:
      break;
  }
  return StatusCode::kInternal;
}

ErrorCode ErrorCodeOf(StatusCode status) {
  switch (status) {
    case StatusCode::kInvalidArgument:
      return ErrorCode::kInvalidArgument;
    case StatusCode::kInvalidModel:
      return ErrorCode::kInvalidModel;
    case StatusCode::kInvalidData:
      return ErrorCode::kInvalidData;
    case StatusCode::kNotFound:
      return ErrorCode::kNotFound;
    case StatusCode::kUnavailable:
    case StatusCode::kUnauthenticated:
    case StatusCode::kBusy:
      return ErrorCode::kUnavailable;
    case StatusCode::kFailedPrecondition:
      return ErrorCode::kFailedPrecondition;
    case StatusCode::kUnsupported:
      return ErrorCode::kUnsupported;
    case StatusCode::kResourceExhausted:
      return ErrorCode::kResourceExhausted;
    case StatusCode::kCancelled:
      return ErrorCode::kCancelled;
    case StatusCode::kDeadlineExceeded:
      return ErrorCode::kDeadlineExceeded;
    case StatusCode::kIo:
      return ErrorCode::kIo;
    case StatusCode::kEngineFailure:
      return ErrorCode::kEngineFailure;
    case StatusCode::kOk:
    case StatusCode::kInternal:
      break;
  }
  return ErrorCode::kInternal;  // also numbers of a later version
}

NativePrefixBytes EncodePrefix(const NativePrefix& prefix) {
  NativePrefixBytes bytes;
  StoreLe(bytes.data(), prefix.crc32c);
  StoreLe(bytes.data() + 4, prefix.request_id);
  StoreLe(bytes.data() + 8, prefix.deadline_or_status);
  StoreLe(bytes.data() + 12, prefix.sample_count);
  StoreLe(bytes.data() + 16, prefix.sender_clock_ns);
  return bytes;
}

NativePrefix DecodePrefix(std::span<const std::byte, kNativePrefixBytes> bytes) {
  NativePrefix prefix;
  prefix.crc32c = LoadLe<std::uint32_t>(bytes.data());
  prefix.request_id = LoadLe<std::uint32_t>(bytes.data() + 4);
  prefix.deadline_or_status = LoadLe<std::uint32_t>(bytes.data() + 8);
  prefix.sample_count = LoadLe<std::uint32_t>(bytes.data() + 12);
  prefix.sender_clock_ns = LoadLe<std::int64_t>(bytes.data() + 16);
  return prefix;
}

void EncodeInferTimes(const InferTimes& times, std::span<std::byte, kInferTimesBytes> out) {
  StoreLe(out.data(), times.received_ns);
  StoreLe(out.data() + 8, times.invoke_start_ns);
  StoreLe(out.data() + 16, times.invoke_end_ns);
  StoreLe(out.data() + 24, times.sent_ns);
}

InferTimes DecodeInferTimes(std::span<const std::byte, kInferTimesBytes> bytes) {
  InferTimes times;
  times.received_ns = LoadLe<std::int64_t>(bytes.data());
  times.invoke_start_ns = LoadLe<std::int64_t>(bytes.data() + 8);
  times.invoke_end_ns = LoadLe<std::int64_t>(bytes.data() + 16);
  times.sent_ns = LoadLe<std::int64_t>(bytes.data() + 24);
  return times;
}

std::uint32_t NativeCrc(const Header& header, const NativePrefix& prefix,
                        std::span<const ConstBytes> body) {
  Header plain = header;
  plain.checksum = 0;
  std::uint32_t crc = Crc32c(EncodeHeader(plain));
  const NativePrefixBytes prefix_bytes = EncodePrefix(prefix);
  crc = Crc32c(ConstBytes(prefix_bytes).subspan(4), crc);
  for (const ConstBytes piece : body) crc = Crc32c(piece, crc);
  return crc;
}

NativeHead MakeNativeHead(NativeType type, FlowControl flow, std::uint16_t flags,
                          NativePrefix prefix, std::span<const ConstBytes> body) {
  std::uint64_t size = kNativePrefixBytes;
  for (const ConstBytes piece : body) size += piece.size();
  KENNING_CHECK(size <= UINT32_MAX);
  Header header;
  header.type = static_cast<MessageType>(type);
  header.flow = flow;
  header.flags = static_cast<std::uint16_t>(flags | kHasPayload | kFirst | kLast);
  header.payload_size = static_cast<std::uint32_t>(size);
  prefix.crc32c = NativeCrc(header, prefix, body);
  NativeHead head;
  const HeaderBytes header_bytes = EncodeHeader(header);
  const NativePrefixBytes prefix_bytes = EncodePrefix(prefix);
  std::ranges::copy(header_bytes, head.bytes.begin());
  std::ranges::copy(prefix_bytes, head.bytes.begin() + kHeaderBytes);
  return head;
}

}  // namespace kenning::wire
