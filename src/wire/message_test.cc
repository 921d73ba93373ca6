// SPDX-License-Identifier: Apache-2.0
#include "wire/message.h"

#include <gtest/gtest.h>

#include <thread>

#include "wire/message_reader.h"
#include "wire/testing/memory_channel.h"

namespace kenning::wire {
namespace {

using testing::BytesOf;
using testing::MakeMemoryPair;
using testing::ScriptedChannel;

std::vector<std::byte> Bytes(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

std::vector<std::byte> Bytes(const HeaderBytes& header) { return {header.begin(), header.end()}; }

TEST(MessageTest, HeadersOfARecordedExchange) {
  Header data{.type = MessageType::kData, .flags = 0x0038, .payload_size = 1536};
  EXPECT_EQ(Bytes(EncodeHeader(data)), Bytes({2, 0, 0, 0, 0, 0, 0x38, 0, 0, 6, 0, 0}));
  Header answer{.type = MessageType::kOptimizeModel,
                .flow = FlowControl::kTransmission,
                .flags = 0x0079,
                .payload_size = 20616};
  EXPECT_EQ(Bytes(EncodeHeader(answer)), Bytes({10, 0, 0, 0, 0xC0, 0, 0x79, 0, 0x88, 0x50, 0, 0}));
  EXPECT_EQ(DecodeHeader(EncodeHeader(answer)), answer);
}

TEST(MessageTest, EveryTwelveBytesAreAHeaderAndComeBack) {
  HeaderBytes bytes;
  std::uint32_t state = 1;
  for (int round = 0; round < 1000; ++round) {
    for (std::byte& byte : bytes) {
      state = state * 1664525 + 1013904223;
      byte = static_cast<std::byte>(state >> 24);
    }
    EXPECT_EQ(EncodeHeader(DecodeHeader(bytes)), bytes);
  }
}

TEST(MessageTest, BodySizeCountsOnlyWithThePayloadFlag) {
  Header header{.flags = kFirst | kLast, .payload_size = 0xFFFFFFFF};
  EXPECT_EQ(header.body_size(), 0U);
  header.flags |= kHasPayload;
  EXPECT_EQ(header.body_size(), 0xFFFFFFFFU);
}

TEST(MessageTest, ChecksumMakesTheXorOfTheWholeMessageTheMagic) {
  Header header{.type = MessageType::kModel, .flags = 0x0038, .payload_size = 5};
  const ConstBytes payload = BytesOf("hello");
  header.checksum = 0x77;  // not counted
  header.checksum = ChecksumOf(EncodeHeader(header), payload);
  EXPECT_EQ(XorOf(EncodeHeader(header)) ^ XorOf(payload), 0x4B);
}

TEST(MessageTest, Names) {
  EXPECT_EQ(TypeName(MessageType::kIoSpec), "IO_SPEC");
  EXPECT_EQ(TypeName(static_cast<MessageType>(71)), "INFER");
  EXPECT_EQ(TypeName(static_cast<MessageType>(77)), "type 77");
  EXPECT_EQ(ToString(Header{.type = MessageType::kData, .flags = 0x38, .payload_size = 9}),
            "DATA REQUEST flags=0x0038 size=9");
}

TEST(MessageReaderTest, ReadsInPiecesOfAnySize) {
  std::vector<std::byte> stream;
  std::vector<std::byte> payload(20'000);
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::byte>(i * 7);
  const Header header{.type = MessageType::kData,
                      .flags = 0x38,
                      .payload_size = static_cast<std::uint32_t>(payload.size())};
  for (int i = 0; i < 3; ++i) {
    const HeaderBytes bytes = EncodeHeader(header);
    stream.insert(stream.end(), bytes.begin(), bytes.end());
    stream.insert(stream.end(), payload.begin(), payload.end());
  }
  for (const std::size_t most : {std::size_t{1}, std::size_t{5}, std::size_t{1000}, SIZE_MAX}) {
    ScriptedChannel channel(stream, most);
    MessageReader reader(channel);
    bool ended = false;
    for (int i = 0; i < 3; ++i) {
      auto got = reader.ReadHeader(ended, Deadline::Never());
      ASSERT_TRUE(got);
      EXPECT_EQ(*got, header);
      EXPECT_EQ(reader.last_header_bytes(), EncodeHeader(header));
      if (i == 1) {
        ASSERT_TRUE(reader.Skip(payload.size(), Deadline::Never()));
        continue;
      }
      std::vector<std::byte> out(payload.size());
      ASSERT_TRUE(reader.Read(out, Deadline::Never()));
      EXPECT_EQ(out, payload);
    }
    EXPECT_FALSE(reader.Await(Deadline::Never()).value());
    ASSERT_TRUE(reader.ReadHeader(ended, Deadline::Never()));
    EXPECT_TRUE(ended);
  }
}

TEST(MessageReaderTest, AStreamThatEndsWithinAMessageIsAnError) {
  const HeaderBytes bytes = EncodeHeader({.type = MessageType::kData, .flags = 0x38});
  bool ended = false;
  ScriptedChannel half(ConstBytes(bytes).first(7));
  MessageReader header_reader(half);
  EXPECT_TRUE(header_reader.Await(Deadline::Never()).value());
  EXPECT_EQ(header_reader.ReadHeader(ended, Deadline::Never()).error().code(),
            ErrorCode::kTargetLost);
  for (const std::size_t wanted : {std::size_t{13}, std::size_t{100'000}}) {
    ScriptedChannel channel(bytes);
    MessageReader reader(channel);
    std::vector<std::byte> out(wanted);
    EXPECT_EQ(reader.Read(out, Deadline::Never()).error().code(), ErrorCode::kTargetLost);
  }
  ScriptedChannel channel(bytes);
  MessageReader reader(channel);
  EXPECT_EQ(reader.Skip(13, Deadline::Never()).error().code(), ErrorCode::kTargetLost);
}

TEST(MessageReaderTest, DeadlinesOfTheChannelComeThrough) {
  auto [host, target] = MakeMemoryPair();
  MessageReader reader(*target);
  bool ended = false;
  EXPECT_EQ(reader.ReadHeader(ended, Deadline::After(0.001)).error().code(),
            ErrorCode::kDeadlineExceeded);
  // What came before the deadline is kept.
  const HeaderBytes bytes = EncodeHeader({.type = MessageType::kStats, .flags = 0x30});
  const ConstBytes first[] = {ConstBytes(bytes).first(4)};
  const ConstBytes second[] = {ConstBytes(bytes).subspan(4)};
  ASSERT_TRUE(host->WriteAll(first, Deadline::Never()));
  EXPECT_FALSE(reader.ReadHeader(ended, Deadline::After(0.001)));
  ASSERT_TRUE(host->WriteAll(second, Deadline::Never()));
  EXPECT_EQ(reader.ReadHeader(ended, Deadline::Never()).value().type, MessageType::kStats);
}

}  // namespace
}  // namespace kenning::wire
