// SPDX-License-Identifier: Apache-2.0
#include "wire/native.h"

#include <gtest/gtest.h>

#include "wire/crc32c.h"
#include "wire/testing/memory_channel.h"

namespace kenning::wire {
namespace {

using testing::BytesOf;

std::vector<std::byte> Noise(std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = 7;
  for (std::byte& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

TEST(Crc32cTest, KnownValues) {
  EXPECT_EQ(Crc32c({}), 0U);
  EXPECT_EQ(Crc32c(BytesOf("123456789")), 0xE3069283U);
  // RFC 3720, B.4.
  const std::vector<std::byte> zeros(32, std::byte{0});
  const std::vector<std::byte> ones(32, std::byte{0xFF});
  std::vector<std::byte> up(32);
  for (std::size_t i = 0; i < up.size(); ++i) up[i] = static_cast<std::byte>(i);
  EXPECT_EQ(Crc32c(zeros), 0x8A9136AAU);
  EXPECT_EQ(Crc32c(ones), 0x62A8AB43U);
  EXPECT_EQ(Crc32c(up), 0x46DD794EU);
}

TEST(Crc32cTest, AllWaysAgreeAtEverySizeAndAddress) {
  const std::vector<std::byte> noise = Noise(40'000);
  const ConstBytes all(noise);
  std::uint32_t by_bits = ~0U;  // the definition, bit by bit
  for (std::size_t size = 0; size <= all.size(); ++size) {
    if (size < 2000 || size % 97 == 0) {
      EXPECT_EQ(Crc32cBy(CrcWay::kTables, all.first(size)), ~by_bits) << size;
      if (HasCrcInstructions()) {
        EXPECT_EQ(Crc32cBy(CrcWay::kInstructions, all.first(size)), ~by_bits) << size;
      }
    }
    if (size == all.size()) break;
    by_bits ^= std::to_integer<std::uint32_t>(all[size]);
    for (int bit = 0; bit < 8; ++bit) by_bits = (by_bits >> 1) ^ ((by_bits & 1) ? 0x82F63B78U : 0);
  }
  for (std::size_t offset = 0; offset < 16; ++offset) {
    const ConstBytes part = all.subspan(offset, 13'000);
    EXPECT_EQ(Crc32c(part), Crc32cBy(CrcWay::kTables, part));
  }
}

TEST(Crc32cTest, Continues) {
  const std::vector<std::byte> noise = Noise(20'000);
  const ConstBytes all(noise);
  for (const std::size_t cut : {0UL, 1UL, 7UL, 800UL, 12'300UL, 20'000UL}) {
    EXPECT_EQ(Crc32c(all.subspan(cut), Crc32c(all.first(cut))), Crc32c(all));
  }
}

TEST(NativeTest, PrefixAndTimesComeBack) {
  const NativePrefix prefix{0x04030201, 0x08070605, 0x0C0B0A09, 0x100F0E0D, 0x1817161514131211};
  const NativePrefixBytes bytes = EncodePrefix(prefix);
  for (std::size_t i = 0; i < bytes.size(); ++i) EXPECT_EQ(bytes[i], static_cast<std::byte>(i + 1));
  EXPECT_EQ(DecodePrefix(bytes), prefix);
  const InferTimes times{-1, 2, 3, INT64_MAX};
  std::array<std::byte, kInferTimesBytes> out;
  EncodeInferTimes(times, out);
  const InferTimes back = DecodeInferTimes(out);
  EXPECT_EQ(back.received_ns, -1);
  EXPECT_EQ(back.invoke_start_ns, 2);
  EXPECT_EQ(back.invoke_end_ns, 3);
  EXPECT_EQ(back.sent_ns, INT64_MAX);
}

TEST(NativeTest, HeadCarriesTheCrcOfHeaderPrefixAndBody) {
  const ConstBytes body[] = {BytesOf("ab"), BytesOf(""), BytesOf("cde")};
  const NativeHead head = MakeNativeHead(NativeType::kEcho, FlowControl::kTransmission,
                                         kSuccess | kIsKenning, {.request_id = 9}, body);
  const Header header = DecodeHeader(std::span(head.bytes).first<kHeaderBytes>());
  EXPECT_EQ(header.type, static_cast<MessageType>(67));
  EXPECT_EQ(header.flags, 0x0079);
  EXPECT_EQ(header.checksum, 0);
  EXPECT_EQ(header.payload_size, kNativePrefixBytes + 5);
  const NativePrefix prefix = DecodePrefix(std::span(head.bytes).subspan<kHeaderBytes>());
  EXPECT_EQ(prefix.request_id, 9U);
  std::vector<std::byte> covered(head.bytes.begin(), head.bytes.begin() + kHeaderBytes);
  covered.insert(covered.end(), head.bytes.begin() + kHeaderBytes + 4, head.bytes.end());
  for (const ConstBytes piece : body) covered.insert(covered.end(), piece.begin(), piece.end());
  EXPECT_EQ(prefix.crc32c, Crc32c(covered));
  EXPECT_EQ(prefix.crc32c, NativeCrc(header, prefix, body));
}

TEST(NativeTest, StatusOfEveryErrorComesBackAsItOrAsItsKind) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_NE(StatusOf(code), StatusCode::kOk);
    if (code == ErrorCode::kInvalidScenario || code == ErrorCode::kTargetLost) continue;
    EXPECT_EQ(ErrorCodeOf(StatusOf(code)), code) << ErrorCodeName(code);
  }
  EXPECT_EQ(ErrorCodeOf(StatusCode::kBusy), ErrorCode::kUnavailable);
  EXPECT_EQ(ErrorCodeOf(StatusCode::kUnauthenticated), ErrorCode::kUnavailable);
  EXPECT_EQ(ErrorCodeOf(static_cast<StatusCode>(4711)), ErrorCode::kInternal);
}

}  // namespace
}  // namespace kenning::wire
