// SPDX-License-Identifier: Apache-2.0
// Everything that takes bytes of the wire apart, one part by the first byte; what was taken apart
// and put together again is the same.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/check.h"
#include "wire/crc32c.h"
#include "wire/hex.h"
#include "wire/logs.h"
#include "wire/message_reader.h"
#include "wire/multipart.h"
#include "wire/native.h"
#include "wire/testing/memory_channel.h"
#include "wire/uart_structs.h"

namespace {

using kenning::ConstBytes;
using kenning::Deadline;
using kenning::LogLevel;
using namespace kenning::wire;
using kenning::wire::testing::ScriptedChannel;

constexpr std::size_t kMostPayload = 4096;

struct Whole {
  Header header;
  std::vector<std::byte> payload;
  bool operator==(const Whole&) const = default;
};

// All whole messages of a stream that comes in reads of at most `most` bytes.
std::vector<Whole> ReadStream(ConstBytes stream, std::size_t most) {
  std::vector<Whole> messages;
  ScriptedChannel channel(stream, most);
  MessageReader reader(channel);
  PartJoiner joiner([](MessageType) { return std::uint64_t{kMostPayload}; });
  for (bool ended = false;;) {
    const auto header = reader.ReadHeader(ended, Deadline::Never());
    if (!header || ended) return messages;
    KENNING_CHECK(EncodeHeader(*header) == reader.last_header_bytes());
    if (joiner.Swallows(*header) || !joiner.Check(*header)) {
      if (!reader.Skip(header->body_size(), Deadline::Never())) return messages;
      continue;
    }
    const auto body = joiner.ReadBody(*header, reader, Deadline::Never());
    if (!body) return messages;
    KENNING_CHECK(body->size() == header->body_size());
    if (!header->has(kLast)) continue;
    const JoinedMessage message = joiner.Finish(*header);
    KENNING_CHECK(message.payload.size() <= kMostPayload);
    messages.push_back({message.header, {message.payload.begin(), message.payload.end()}});
    joiner.Drop(header->type);
  }
}

void Stream(ConstBytes bytes) {
  const std::size_t most = bytes.size() % 2 == 0 ? 1 : 37;
  KENNING_CHECK(ReadStream(bytes, most) == ReadStream(bytes, SIZE_MAX));
}

void Parts(ConstBytes bytes) {
  if (bytes.size() < 3) return;
  const auto room = 1 + std::to_integer<std::uint32_t>(bytes[0]);
  const bool checksums = (bytes[1] & std::byte{1}) != std::byte{0};
  const auto type = static_cast<MessageType>(std::to_integer<int>(bytes[1]) % 14);
  const std::size_t cut =
      std::min<std::size_t>(std::to_integer<std::size_t>(bytes[2]), bytes.size() - 3);
  const ConstBytes payload = bytes.subspan(3);
  const ConstBytes pieces[] = {payload.first(cut), {}, payload.subspan(cut)};
  OutgoingParts parts(static_cast<std::uint32_t>(kHeaderBytes) + room, checksums);
  parts.Add({.type = type, .flags = kSuccess}, pieces);
  std::vector<std::byte> stream;
  for (const ConstBytes piece : parts.pieces()) {
    stream.insert(stream.end(), piece.begin(), piece.end());
  }
  for (ConstBytes rest = stream; !rest.empty();) {
    const Header header = DecodeHeader(rest.first<kHeaderBytes>());
    KENNING_CHECK(header.body_size() <= room);
    const ConstBytes part = rest.first(kHeaderBytes + header.body_size());
    if (checksums) KENNING_CHECK(XorOf(part) == 0x4B);
    rest = rest.subspan(part.size());
  }
  const std::vector<Whole> messages = ReadStream(stream, 11);
  KENNING_CHECK(messages.size() == 1);
  KENNING_CHECK(std::ranges::equal(messages[0].payload, payload));
}

void Logs(ConstBytes bytes) {
  std::vector<std::byte> again;
  std::string texts;
  for (const LogRecord& record : DecodeLogs(bytes)) {
    AppendLog(again, record.level, record.text);
    texts += record.text;
  }
  std::string same;
  for (const LogRecord& record : DecodeLogs(again)) same += record.text;
  KENNING_CHECK(same == texts);
  // Any text, too.
  std::vector<std::byte> payload;
  AppendLog(payload, LogLevel::kInfo, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  for (const LogRecord& record : DecodeLogs(payload)) {
    KENNING_CHECK(record.level == LogLevel::kInfo);
    KENNING_CHECK(!record.text.empty());
  }
}

void UartSpec(ConstBytes bytes) {
  std::vector<std::byte> filled(bytes.begin(), bytes.end());
  filled.resize(kUartIoSpecBytes);
  const auto io_spec = DecodeUartIoSpec(filled);
  if (!io_spec) return;
  const auto encoded = EncodeUartIoSpec(*io_spec);
  KENNING_CHECK(encoded.has_value());
  const auto again = DecodeUartIoSpec(*encoded);
  KENNING_CHECK(again.has_value() && again->spec == io_spec->spec &&
                again->entry_func == io_spec->entry_func &&
                again->model_name == io_spec->model_name);
}

void UartStatistics(ConstBytes bytes) {
  if (const auto stats = DecodeUartStats(bytes)) {
    const auto again = DecodeUartStats(EncodeUartStats(*stats));
    KENNING_CHECK(again.has_value() && *again == *stats);
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::vector<UartStat> from_json = UartStatsFromJson(text);
  const auto decoded = DecodeUartStats(EncodeUartStats(from_json));
  KENNING_CHECK(decoded.has_value() && decoded->size() == from_json.size());
}

void Native(ConstBytes bytes) {
  NativePrefixBytes prefix{};
  std::memcpy(prefix.data(), bytes.data(), std::min(bytes.size(), prefix.size()));
  KENNING_CHECK(EncodePrefix(DecodePrefix(prefix)) == prefix);
  std::array<std::byte, kInferTimesBytes> times{};
  std::memcpy(times.data(), bytes.data(), std::min(bytes.size(), times.size()));
  std::array<std::byte, kInferTimesBytes> times_again;
  EncodeInferTimes(DecodeInferTimes(times), times_again);
  KENNING_CHECK(times_again == times);
  const std::uint32_t crc = Crc32cBy(CrcWay::kTables, bytes);
  KENNING_CHECK(Crc32c(bytes) == crc);
  const std::size_t cut = bytes.empty() ? 0 : std::to_integer<std::size_t>(bytes[0]) % bytes.size();
  KENNING_CHECK(Crc32c(bytes.subspan(cut), Crc32c(bytes.first(cut))) == crc);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (const auto digest = DigestFromHex(text)) KENNING_CHECK(kenning::ToHex(*digest) == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr void (*kParts[])(ConstBytes) = {Stream, Parts, Logs, UartSpec, UartStatistics, Native};
  kParts[data[0] % std::size(kParts)](std::as_bytes(std::span(data + 1, size - 1)));
  return 0;
}
