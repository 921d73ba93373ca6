// SPDX-License-Identifier: Apache-2.0
// Payloads and parts: LOGS, the structures of UART, messages in parts, proofs of the token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "wire/auth.h"
#include "wire/hex.h"
#include "wire/little_endian.h"
#include "wire/logs.h"
#include "wire/multipart.h"
#include "wire/testing/memory_channel.h"
#include "wire/uart_structs.h"

namespace kenning::wire {
namespace {

using testing::BytesOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ScriptedChannel;

TEST(LogsTest, LinesAsKenningSendsThem) {
  std::vector<std::byte> payload;
  AppendLog(payload, LogLevel::kInfo, "Loading model");
  ASSERT_EQ(payload.size(), 22U);
  EXPECT_EQ(payload[0], std::byte{21});
  EXPECT_TRUE(std::ranges::equal(ConstBytes(payload).subspan(1), BytesOf(" [INFO] Loading model")));
  EXPECT_THAT(DecodeLogs(payload), ElementsAre(LogRecord{LogLevel::kInfo, "Loading model"}));
}

TEST(LogsTest, LongManyLineAndForeignTextComesThroughSafely) {
  std::vector<std::byte> payload;
  AppendLog(payload, LogLevel::kError, "first\r\n\ncaf\xC3\xA9 \xE2\x82\xAC\x01\tend\n");
  AppendLog(payload, LogLevel::kDebug, std::string(600, 'x'));
  AppendLog(payload, LogLevel::kInfo, "");
  EXPECT_THAT(DecodeLogs(payload), ElementsAre(LogRecord{LogLevel::kError, "first"},
                                               LogRecord{LogLevel::kError, "caf? ?? end"},
                                               LogRecord{LogLevel::kDebug, std::string(246, 'x')},
                                               LogRecord{LogLevel::kDebug, std::string(246, 'x')},
                                               LogRecord{LogLevel::kDebug, std::string(108, 'x')}));
}

TEST(LogsTest, DecoderTakesAnything) {
  EXPECT_TRUE(DecodeLogs({}).empty());
  const std::vector<std::byte> lying = {std::byte{200}, std::byte{'a'}, std::byte{0xFF}};
  EXPECT_THAT(DecodeLogs(lying), ElementsAre(LogRecord{LogLevel::kInfo, "a?"}));
  const std::vector<std::byte> empties(3);
  EXPECT_EQ(DecodeLogs(empties).size(), 3U);
}

std::optional<std::filesystem::path> Corpus() {
  const char* root = std::getenv("KENNING_CORPUS");
  if (root == nullptr) return std::nullopt;
  return std::filesystem::path(root) / "wire" / "kenning-0.8.2";
}

TEST(UartStructsTest, TheRecordedIoSpecificationBitForBit) {
  const auto corpus = Corpus();
  if (!corpus) GTEST_SKIP() << "KENNING_CORPUS is not set";
  const std::string json = ReadFile(*corpus / "uart_iospec_magicwand.json", 1 << 20).value();
  const std::string recorded = ReadFile(*corpus / "uart_iospec_magicwand.bin", 1 << 20).value();
  const auto bytes = UartIoSpecFromJson(json);
  ASSERT_TRUE(bytes) << bytes.error().ToString();
  EXPECT_TRUE(std::ranges::equal(*bytes, BytesOf(recorded)));
  const auto back = DecodeUartIoSpec(BytesOf(recorded));
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_EQ(back->spec.inputs.at(0).shape, (Shape{1, 128, 3, 1}));
  EXPECT_EQ(back->spec.outputs.at(0).shape, (Shape{1, 4}));
  EXPECT_EQ(back->model_name, "module");
  EXPECT_EQ(EncodeUartIoSpec(*back).value(), *bytes);
}

TEST(UartStructsTest, ShapesArePackedAndTypesKept) {
  UartIoSpec io_spec;
  io_spec.spec.inputs = {{.name = "a", .dtype = DType::kInt8, .shape = {kAnyDim, 3}},
                         {.name = "b", .dtype = DType::kUint16, .shape = {7}}};
  io_spec.spec.outputs = {{.name = "c", .dtype = DType::kBool, .shape = {}},
                          {.name = "d", .dtype = DType::kFloat64, .shape = {1, 2, 3, 4}}};
  io_spec.entry_func = "main";
  const auto bytes = EncodeUartIoSpec(io_spec);
  ASSERT_TRUE(bytes) << bytes.error().ToString();
  EXPECT_EQ(LoadLe<std::uint32_t>(bytes->data() + 12), 1U);
  EXPECT_EQ(LoadLe<std::uint32_t>(bytes->data() + 16), 3U);
  EXPECT_EQ(LoadLe<std::uint32_t>(bytes->data() + 20), 7U);  // right behind
  const auto back = DecodeUartIoSpec(*bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->spec.inputs[0].shape, (Shape{1, 3}));
  EXPECT_EQ(back->spec.inputs[1].dtype, DType::kUint16);
  EXPECT_EQ(back->spec.outputs[0].dtype, DType::kBool);
  EXPECT_EQ(back->spec.outputs[1].shape, (Shape{1, 2, 3, 4}));
  EXPECT_EQ(back->entry_func, "main");
}

TEST(UartStructsTest, WhatDoesNotFitOrCannotBeIsRefused) {
  UartIoSpec io_spec;
  io_spec.spec.inputs.resize(3, {.shape = {1}});
  EXPECT_EQ(EncodeUartIoSpec(io_spec).error().code(), ErrorCode::kUnsupported);
  io_spec.spec.inputs = {{.shape = {1, 1, 1, 1, 1}}};
  EXPECT_EQ(EncodeUartIoSpec(io_spec).error().code(), ErrorCode::kUnsupported);
  io_spec.spec.inputs = {{.shape = {std::int64_t{1} << 32}}};
  EXPECT_EQ(EncodeUartIoSpec(io_spec).error().code(), ErrorCode::kUnsupported);
  io_spec.spec.inputs = {{.dtype = DType::kString, .shape = {1}}};
  EXPECT_EQ(EncodeUartIoSpec(io_spec).error().code(), ErrorCode::kUnsupported);
  io_spec.spec.inputs = {{.shape = {2}}};
  io_spec.model_name = "a name that is too long";
  EXPECT_EQ(EncodeUartIoSpec(io_spec).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(UartIoSpecFromJson("{").error().code(), ErrorCode::kInvalidData);

  io_spec.model_name = "module";
  const UartIoSpecBytes good = EncodeUartIoSpec(io_spec).value();
  EXPECT_EQ(DecodeUartIoSpec(ConstBytes(good).first(355)).error().code(), ErrorCode::kInvalidData);
  for (const auto& [at, value] : {std::pair{0, 3}, {4, 5}, {12, 0}, {44, 9}, {48, 13}}) {
    UartIoSpecBytes bad = good;
    bad[static_cast<std::size_t>(at)] = static_cast<std::byte>(value);
    EXPECT_EQ(DecodeUartIoSpec(bad).error().code(), ErrorCode::kInvalidData) << at;
  }
}

TEST(UartStructsTest, Statistics) {
  const std::vector<UartStat> stats = {
      {"ram", UartStatType::kAllocation, 4096},
      {"target_inference_step", UartStatType::kInferenceTime, 1500},
      {"cycles", UartStatType::kDefault, 7}};
  const std::vector<std::byte> bytes = EncodeUartStats(stats);
  EXPECT_EQ(bytes.size(), 3U * 48);
  EXPECT_EQ(DecodeUartStats(bytes).value(), stats);
  const std::string json = UartStatsToJson(stats);
  EXPECT_EQ(json,
            R"({"allocation_stats":{"ram":4096},"target_inference_step":[1.5e-06],"cycles":7})");
  EXPECT_THAT(UartStatsFromJson(json), ::testing::UnorderedElementsAreArray(stats));
  EXPECT_TRUE(UartStatsFromJson("[]").empty());
  EXPECT_TRUE(UartStatsFromJson("{").empty());
  EXPECT_TRUE(UartStatsFromJson(R"({"a":-1,"b_step":[-5],"c_step":["x"],"d":null})").empty());

  std::vector<std::byte> six(24);
  six[4] = std::byte{9};
  const auto allocations = DecodeUartStats(six).value();
  ASSERT_EQ(allocations.size(), 6U);
  EXPECT_EQ(allocations[1], (UartStat{"host_bytes_allocated", UartStatType::kAllocation, 9}));
  EXPECT_FALSE(DecodeUartStats(ConstBytes(bytes).first(47)));
  std::vector<std::byte> unknown = bytes;
  unknown[32] = std::byte{3};
  EXPECT_FALSE(DecodeUartStats(unknown));
}

std::vector<std::byte> Flat(const OutgoingParts& parts) {
  std::vector<std::byte> bytes;
  for (const ConstBytes piece : parts.pieces())
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

TEST(MultipartTest, FlagsOfPartsAsRecorded) {
  OutgoingParts parts(12 + 4, /*checksums=*/true);
  const ConstBytes payload[] = {BytesOf("abcdef"), BytesOf(""), BytesOf("ghij")};
  parts.Add({.type = MessageType::kModel, .flags = kSuccess | kIsKenning}, payload);
  const std::vector<std::byte> bytes = Flat(parts);
  ASSERT_EQ(bytes.size(), 3U * 12 + 10);
  std::size_t at = 0;
  for (const auto& [flags, size] : {std::pair{0x59, 4U}, {0x49, 4U}, {0x69, 2U}}) {
    const ConstBytes part = ConstBytes(bytes).subspan(at, 12 + size);
    const Header header = DecodeHeader(part.first<12>());
    EXPECT_EQ(header.flags, flags);
    EXPECT_EQ(header.payload_size, size);
    EXPECT_EQ(XorOf(part), 0x4B);
    at += part.size();
  }
  parts.Clear();
  parts.Add({.type = MessageType::kProcess}, {});
  const std::vector<std::byte> plain = Flat(parts);
  EXPECT_EQ(DecodeHeader(std::span(plain).first<12>()).flags, 0x30);
}

PartJoiner Joiner(std::uint64_t cap) {
  return PartJoiner([cap](MessageType) { return cap; });
}

TEST(MultipartTest, JoinsInterleavedTypes) {
  OutgoingParts model(12 + 4, false);
  const ConstBytes model_text[] = {BytesOf("0123456789")};
  model.Add({.type = MessageType::kModel}, model_text);
  OutgoingParts data(12 + 3, false);
  const ConstBytes data_text[] = {BytesOf("abcde")};
  data.Add({.type = MessageType::kData}, data_text);
  const std::vector<std::byte> m = Flat(model);
  const std::vector<std::byte> d = Flat(data);
  std::vector<std::byte> stream(m.begin(), m.begin() + 16);
  stream.insert(stream.end(), d.begin(), d.begin() + 15);
  stream.insert(stream.end(), m.begin() + 16, m.begin() + 32);
  stream.insert(stream.end(), d.begin() + 15, d.end());
  stream.insert(stream.end(), m.begin() + 32, m.end());

  ScriptedChannel channel(stream);
  MessageReader reader(channel);
  PartJoiner joiner = Joiner(100);
  std::vector<std::string> whole;
  for (bool ended = false;;) {
    const Header header = reader.ReadHeader(ended, Deadline::Never()).value();
    if (ended) break;
    ASSERT_TRUE(joiner.Check(header));
    ASSERT_TRUE(joiner.ReadBody(header, reader, Deadline::Never()));
    if (!header.has(kLast)) continue;
    const JoinedMessage message = joiner.Finish(header);
    whole.emplace_back(reinterpret_cast<const char*>(message.payload.data()),
                       message.payload.size());
    EXPECT_EQ(message.header.payload_size, message.payload.size());
  }
  EXPECT_THAT(whole, ElementsAre("abcde", "0123456789"));
}

TEST(MultipartTest, RulesOfParts) {
  PartJoiner joiner = Joiner(100);
  const std::uint16_t first = kHasPayload | kFirst;
  // No first part.
  EXPECT_EQ(joiner.Check({.type = MessageType::kData, .flags = kLast}).error().code(),
            ErrorCode::kInvalidData);
  // Above the cap, whatever the other flags; and then its parts have no first part any more.
  const Header huge{.type = MessageType::kData, .flags = first, .payload_size = 0xFFFFFFFF};
  EXPECT_EQ(joiner.Check(huge).error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(joiner.Check({.type = MessageType::kData, .flags = kLast}).error().code(),
            ErrorCode::kInvalidData);
  // The cap counts all parts.
  const std::vector<std::byte> bytes(60);
  const Header part{.type = MessageType::kData, .flags = first, .payload_size = 60};
  const Header more{.type = MessageType::kData, .flags = kHasPayload, .payload_size = 60};
  ScriptedChannel channel(bytes);
  MessageReader reader(channel);
  ASSERT_TRUE(joiner.Check(part));
  ASSERT_TRUE(joiner.ReadBody(part, reader, Deadline::Never()));
  EXPECT_EQ(joiner.Check(more).error().code(), ErrorCode::kResourceExhausted);
  // Flow control may not change within a message.
  ASSERT_TRUE(joiner.Check({.type = MessageType::kData, .flags = kFirst}));
  EXPECT_EQ(
      joiner.Check({.type = MessageType::kData, .flow = FlowControl::kTransmission}).error().code(),
      ErrorCode::kInvalidData);
  // Unknown types.
  EXPECT_EQ(joiner.Check({.type = static_cast<MessageType>(14), .flags = kFirst}).error().code(),
            ErrorCode::kUnsupported);
}

TEST(MultipartTest, ALyingSizeTakesNoMemory) {
  PartJoiner joiner = Joiner(std::uint64_t{1} << 40);
  const Header header{.type = MessageType::kModel,
                      .flags = kHasPayload | kFirst | kLast,
                      .payload_size = 0xFFFFFFFF};
  const std::vector<std::byte> bytes(5'000'000);
  ScriptedChannel channel(bytes);
  MessageReader reader(channel);
  ASSERT_TRUE(joiner.Check(header));
  EXPECT_EQ(joiner.ReadBody(header, reader, Deadline::Never()).error().code(),
            ErrorCode::kTargetLost);
}

TEST(AuthTest, ProofsDependOnTokenRoleAndBothNonces) {
  const std::string a = NewNonce();
  const std::string b = NewNonce();
  EXPECT_TRUE(IsNonce(a));
  EXPECT_NE(a, b);
  EXPECT_FALSE(IsNonce(a + "0"));
  EXPECT_FALSE(IsNonce(std::string(64, 'A')));
  const Digest proof = ClientProof("secret", a, b);
  EXPECT_EQ(proof, ClientProof("secret", a, b));
  EXPECT_NE(proof, ServerProof("secret", a, b));
  EXPECT_NE(proof, ClientProof("Secret", a, b));
  EXPECT_NE(proof, ClientProof("secret", b, a));
  EXPECT_EQ(DigestFromHex(ToHex(proof)), proof);
  EXPECT_FALSE(DigestFromHex("../../../../etc/passwd"));
}

}  // namespace
}  // namespace kenning::wire
