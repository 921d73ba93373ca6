// SPDX-License-Identifier: Apache-2.0
// The server in Kenning's mode.
#include "wire/target_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "wire/testing/memory_target.h"
#include "wire/testing/requests.h"
#include "wire/uart_structs.h"

namespace kenning::wire {
namespace {

using testing::BytesOf;
using ::testing::HasSubstr;
using testing::MemoryBackend;
using testing::MemoryStore;
using testing::ParseMessages;
using testing::Received;
using testing::Requests;
using testing::ScriptedChannel;

constexpr std::string_view kSpec =
    R"({"input": [{"name": "in", "shape": [1, 4], "dtype": "float32"}],
        "output": [{"name": "out", "shape": [1, 2], "dtype": "float32"}]})";

class TargetServerTest : public ::testing::Test {
 protected:
  std::vector<Received> Run(const Requests& script, std::size_t most_bytes_a_read = SIZE_MAX) {
    ScriptedChannel channel(script.bytes, most_bytes_a_read);
    TargetServer server(channel, backend_, store_, options_);
    ended_ = server.Serve();
    written_ = channel.written();
    writes_ = channel.writes();
    return ParseMessages(written_, options_.settings.dialect == WireDialect::kNetwork);
  }
  // As text: "LOGS", "DATA ok 5", "DATA fail 5", "OUTPUT ok 8 bytes".
  std::vector<std::string> Told(const Requests& script) {
    std::vector<std::string> told;
    for (const Received& one : Run(script)) {
      std::string text = TypeName(one.header.type);
      if (one.header.type != MessageType::kLogs) {
        text += one.header.has(kSuccess) ? " ok" : one.header.has(kFail) ? " fail" : " ?";
        text += one.action() >= 0 ? " " + std::to_string(one.action())
                                  : " " + std::to_string(one.body.size()) + " bytes";
      } else {
        last_log_ = one.logs().back().text;
      }
      told.push_back(text);
    }
    return told;
  }
  static Requests Loaded() {
    Requests script;
    script.Kenning(MessageType::kIoSpec, kSpec).Kenning(MessageType::kModel, "M");
    return script;
  }
  static std::vector<std::string> AfterLoading(std::vector<std::string> more) {
    std::vector<std::string> all = {"LOGS", "IO_SPEC ok 2", "LOGS", "MODEL ok 3"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  MemoryStore store_;
  MemoryBackend backend_{store_};
  ServerOptions options_;
  Result<> ended_;
  std::vector<std::byte> written_;
  std::size_t writes_ = 0;
  std::string last_log_;
  const std::vector<float> sample_ = {1, 2, 3, 4};
};

TEST_F(TargetServerTest, AWholeSession) {
  for (const std::size_t most : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
    Requests script = Loaded();
    script.Kenning(MessageType::kData, std::as_bytes(std::span(sample_)))
        .Kenning(MessageType::kProcess)
        .Kenning(MessageType::kOutput)
        .Kenning(MessageType::kStats)
        .Kenning(MessageType::kStatus)
        .Kenning(MessageType::kPing);
    const auto answers = Run(script, most);
    EXPECT_TRUE(ended_) << ended_.error().ToString();
    ASSERT_EQ(answers.size(), 10U);
    EXPECT_EQ(answers[0].logs().at(0).text, "Input/Output specification loaded");
    EXPECT_EQ(answers[2].logs().at(0).text, "Loading model");
    EXPECT_EQ(answers[4].action(), 5);
    EXPECT_EQ(answers[5].action(), 6);
    EXPECT_EQ(answers[6].as<float>(), (std::vector<float>{10, 24}));
    EXPECT_EQ(answers[6].header.flags, 0x0079);
    EXPECT_EQ(answers[7].text(), R"({"a": 1})");
    EXPECT_EQ(answers[8].action(), 12);
    EXPECT_TRUE(answers[9].body.empty());
    EXPECT_EQ(answers[9].header.flags, 0x0071);
    EXPECT_EQ(written_.front(), std::byte{0});
    EXPECT_EQ(backend_.loads.back().io_spec, kSpec);
  }
}

TEST_F(TargetServerTest, OneWriteForLogsAndAnswer) {
  Run(Loaded());
  EXPECT_EQ(writes_, 3U);  // greeting, IO_SPEC, MODEL
}

TEST_F(TargetServerTest, PartsAndInterleavedTypes) {
  Requests small(false, 12 + 5);
  small.Kenning(MessageType::kIoSpec, kSpec);
  small.Kenning(MessageType::kModel, "MODEL OF SEVERAL PARTS");
  small.Kenning(MessageType::kData, std::as_bytes(std::span(sample_)));
  small.Kenning(MessageType::kProcess);
  EXPECT_EQ(Told(small), AfterLoading({"DATA ok 5", "PROCESS ok 6"}));
  // A request of one part between the parts of another.
  Requests script = Loaded();
  const ConstBytes bytes = std::as_bytes(std::span(sample_));
  script.Head({.type = MessageType::kData, .flags = kHasPayload | kFirst, .payload_size = 7})
      .Raw(bytes.first(7))
      .Kenning(MessageType::kStatus)
      .Head({.type = MessageType::kData, .flags = kHasPayload | kLast, .payload_size = 9})
      .Raw(bytes.subspan(7))
      .Kenning(MessageType::kProcess)
      .Kenning(MessageType::kOutput);
  EXPECT_EQ(Told(script),
            AfterLoading({"STATUS ok 12", "DATA ok 5", "PROCESS ok 6", "OUTPUT ok 8 bytes"}));
}

TEST_F(TargetServerTest, ADynamicModelTakesWholeRows) {
  Requests script;
  std::vector<float> rows(12, 1);
  script.Kenning(MessageType::kModel, "D")
      .Kenning(MessageType::kData, std::as_bytes(std::span(rows)))
      .Kenning(MessageType::kProcess)
      .Kenning(MessageType::kOutput)
      .Kenning(MessageType::kData, std::as_bytes(std::span(sample_)))
      .Kenning(MessageType::kProcess)
      .Kenning(MessageType::kOutput)
      .Kenning(MessageType::kData, "12345");
  EXPECT_EQ(Told(script),
            (std::vector<std::string>{"LOGS", "MODEL ok 3", "DATA ok 5", "PROCESS ok 6",
                                      "OUTPUT ok 24 bytes", "DATA ok 5", "PROCESS ok 6",
                                      "OUTPUT ok 8 bytes", "LOGS", "DATA fail 5"}));
  EXPECT_THAT(last_log_, HasSubstr("16 a row"));
}

TEST_F(TargetServerTest, RequestsBeforeTheirTime) {
  Requests script;
  script.Kenning(MessageType::kData, "1234567890123456")
      .Kenning(MessageType::kProcess)
      .Kenning(MessageType::kOutput)
      .Kenning(MessageType::kOptimizeModel)
      .Kenning(MessageType::kModel);
  EXPECT_EQ(Told(script),
            (std::vector<std::string>{"LOGS", "DATA fail 5", "LOGS", "PROCESS fail 6", "LOGS",
                                      "OUTPUT fail 7", "LOGS", "OPTIMIZE_MODEL fail 9", "LOGS",
                                      "MODEL fail 3"}));
  EXPECT_TRUE(ended_);
  // Output needs a PROCESS after the last DATA.
  Requests again = Loaded();
  again.Kenning(MessageType::kProcess)
      .Kenning(MessageType::kData, std::as_bytes(std::span(sample_)))
      .Kenning(MessageType::kOutput)
      .Kenning(MessageType::kProcess)
      .Kenning(MessageType::kOutput)
      .Kenning(MessageType::kOutput)
      .Kenning(MessageType::kData, "short")
      .Kenning(MessageType::kOutput);
  EXPECT_EQ(Told(again),
            AfterLoading({"LOGS", "PROCESS fail 6", "DATA ok 5", "LOGS", "OUTPUT fail 7",
                          "PROCESS ok 6", "OUTPUT ok 8 bytes", "OUTPUT ok 8 bytes", "LOGS",
                          "DATA fail 5", "LOGS", "OUTPUT fail 7"}));
}

struct OddCase {
  const char* name;
  std::function<void(Requests&)> send;
  std::vector<std::string> answers;
};

TEST_F(TargetServerTest, OddMessagesGetAnAnswerAndTheSessionGoesOn) {
  const auto one = [](Header header) {
    return [header](Requests& script) {
      script.Head(header);
      for (std::uint32_t i = 0; i < header.body_size(); ++i) script.Raw(BytesOf("x"));
    };
  };
  constexpr std::uint16_t kWhole = kFirst | kLast;
  constexpr std::uint16_t kFull = kFirst | kLast | kHasPayload;
  const auto type99 = static_cast<MessageType>(99);
  const auto type14 = static_cast<MessageType>(14);
  const std::vector<OddCase> cases = {
      {"invalid JSON",
       [](Requests& s) { s.Kenning(MessageType::kIoSpec, "{"); },
       {"LOGS", "IO_SPEC fail 2"}},
      {"empty IO_SPEC", [](Requests& s) { s.Kenning(MessageType::kIoSpec); }, {"IO_SPEC ok 2"}},
      {"garbage model",
       [](Requests& s) { s.Kenning(MessageType::kModel, "garbage"); },
       {"LOGS", "MODEL fail 3"}},
      {"RUNTIME",
       [](Requests& s) { s.Kenning(MessageType::kRuntime); },
       {"LOGS", "RUNTIME fail 11"}},
      {"RUNTIME with payload",
       [](Requests& s) { s.Kenning(MessageType::kRuntime, "elf"); },
       {"LOGS", "RUNTIME fail 11"}},
      {"LOGS", [](Requests& s) { s.Kenning(MessageType::kLogs, "abc"); }, {"LOGS", "LOGS"}},
      {"TRACE_DATA",
       [](Requests& s) { s.Kenning(MessageType::kTraceData, "abc"); },
       {"LOGS", "TRACE_DATA fail 12"}},
      {"unknown",
       one({.type = type99, .flags = kFull, .payload_size = 7}),
       {"LOGS", "type 99 fail 12"}},
      {"unknown, below", one({.type = type14, .flags = kWhole}), {"LOGS", "type 14 fail 12"}},
      {"payload for PROCESS",
       [](Requests& s) { s.Kenning(MessageType::kProcess, "abc"); },
       {"LOGS", "PROCESS fail 6"}},
      {"no FIRST",
       one({.type = MessageType::kData, .flags = kHasPayload | kLast, .payload_size = 4}),
       {"LOGS", "DATA fail 5"}},
      {"no FIRST, no LAST: the rest is part of it",
       [&](Requests& s) {
         one({.type = MessageType::kData, .flags = kHasPayload, .payload_size = 4})(s);
         one({.type = MessageType::kData, .flags = kHasPayload, .payload_size = 4})(s);
         one({.type = MessageType::kData, .flags = kHasPayload | kLast, .payload_size = 4})(s);
       },
       {"LOGS", "DATA fail 5"}},
      {"FIRST twice",
       [&](Requests& s) {
         one({.type = MessageType::kData, .flags = kHasPayload | kFirst, .payload_size = 4})(s);
         one({.type = MessageType::kData, .flags = kFull, .payload_size = 16})(s);
       },
       {"DATA ok 5"}},
      {"size without payload",
       one({.type = MessageType::kStatus, .flags = kWhole, .payload_size = 77}),
       {"STATUS ok 12"}},
      {"DATA above its size",
       one({.type = MessageType::kData, .flags = kFull, .payload_size = 17}),
       {"LOGS", "DATA fail 5"}},
      {"TRANSMISSION",
       one({.type = MessageType::kData,
            .flow = FlowControl::kTransmission,
            .flags = kFull,
            .payload_size = 3}),
       {}},
      {"ACKNOWLEDGE",
       one({.type = MessageType::kOutput, .flow = FlowControl::kAcknowledge, .flags = kFail}),
       {}},
      {"REQUEST_RETRANSMIT",
       one({.type = MessageType::kOutput,
            .flow = FlowControl::kRequestRetransmit,
            .flags = kWhole}),
       {"LOGS", "OUTPUT fail 7"}},
      {"OPTIMIZERS without a list",
       [](Requests& s) { s.Kenning(MessageType::kOptimizers, "{}"); },
       {"LOGS", "OPTIMIZERS fail 10"}},
      {"OPTIMIZERS without a type",
       [](Requests& s) { s.Kenning(MessageType::kOptimizers, R"({"optimizers": [1]})"); },
       {"LOGS", "OPTIMIZERS fail 10"}},
      {"empty UNOPTIMIZED_MODEL",
       [](Requests& s) { s.Kenning(MessageType::kUnoptimizedModel); },
       {"LOGS", "UNOPTIMIZED_MODEL fail 4"}},
  };
  for (const OddCase& odd : cases) {
    SCOPED_TRACE(odd.name);
    Requests script = Loaded();
    odd.send(script);
    script.Kenning(MessageType::kModel, "M")
        .Kenning(MessageType::kData, std::as_bytes(std::span(sample_)))
        .Kenning(MessageType::kProcess)
        .Kenning(MessageType::kOutput);
    std::vector<std::string> wanted = odd.answers;
    // What was ignored is told with the next answer, which has a log of its own here.
    for (const char* more :
         {"LOGS", "MODEL ok 3", "DATA ok 5", "PROCESS ok 6", "OUTPUT ok 8 bytes"}) {
      wanted.emplace_back(more);
    }
    EXPECT_EQ(Told(script), AfterLoading(wanted));
    EXPECT_TRUE(ended_) << ended_.error().ToString();
  }
}

TEST_F(TargetServerTest, HugeSizesAreRefusedAtOnceAndEndTheSession) {
  for (const auto type : {MessageType::kData, MessageType::kModel, MessageType::kIoSpec,
                          MessageType::kProcess, static_cast<MessageType>(50)}) {
    Requests script = Loaded();
    script.Head({.type = type, .flags = kFirst | kLast | kHasPayload, .payload_size = 0xFFFFFFFF});
    script.Raw(BytesOf("a few bytes"));
    const auto told = Told(script);
    EXPECT_EQ(told.back(), TypeName(type) + " fail " +
                               std::to_string(type == MessageType::kData      ? 5
                                              : type == MessageType::kModel   ? 3
                                              : type == MessageType::kIoSpec  ? 2
                                              : type == MessageType::kProcess ? 6
                                                                              : 12));
    EXPECT_EQ(ended_.error().code(), ErrorCode::kInvalidData);
  }
}

TEST_F(TargetServerTest, TooManyProtocolErrorsEndTheSession) {
  options_.limits.max_protocol_errors = 3;
  Requests script;
  for (int i = 0; i < 10; ++i) script.Kenning(MessageType::kTraceData);
  EXPECT_EQ(Told(script).size(), 8U);  // LOGS and FAIL each, the fourth being the last
  EXPECT_EQ(ended_.error().code(), ErrorCode::kInvalidData);
}

TEST_F(TargetServerTest, ChecksumsWithErrorRecovery) {
  options_.settings.error_recovery = true;
  for (const bool one_part : {true, false}) {
    Requests script(true, one_part ? 1U << 20 : 12 + 9);
    script.Kenning(MessageType::kIoSpec, kSpec).Kenning(MessageType::kModel, "M");
    script.Kenning(MessageType::kData, std::as_bytes(std::span(sample_)));
    script.bytes.back() ^= std::byte{1};
    script.Kenning(MessageType::kProcess);
    script.Kenning(MessageType::kData, std::as_bytes(std::span(sample_)));
    script.Kenning(MessageType::kProcess).Kenning(MessageType::kOutput);
    EXPECT_EQ(Told(script), AfterLoading({"LOGS", "DATA fail 5", "LOGS", "PROCESS fail 6",
                                          "DATA ok 5", "PROCESS ok 6", "OUTPUT ok 8 bytes"}));
  }
  // Answers have theirs.
  EXPECT_EQ(XorOf(ConstBytes(written_).last(12 + 8)), 0x4B);
}

TEST_F(TargetServerTest, AnEngineFailureIsToldByItsText) {
  Requests script;
  script.Kenning(MessageType::kModel, "E")
      .Kenning(MessageType::kData, std::as_bytes(std::span(sample_)))
      .Kenning(MessageType::kProcess)
      .Kenning(MessageType::kOutput);
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 7U);
  EXPECT_THAT(answers[3].logs().at(0).text, HasSubstr("Conv_7"));
  EXPECT_EQ(answers[3].logs().at(0).level, LogLevel::kError);
  EXPECT_EQ(answers[4].header.flags, 0x007A);
}

TEST_F(TargetServerTest, AModelOfHugeTensorsIsRefused) {
  Requests script;
  script.Kenning(MessageType::kModel, "H");
  EXPECT_EQ(Told(script), (std::vector<std::string>{"LOGS", "MODEL fail 3"}));
}

TEST_F(TargetServerTest, SkippedSendingUsesTheModelThatIsThere) {
  Requests script = Loaded();
  script.Kenning(MessageType::kModel)
      .Kenning(MessageType::kModel, "M2")
      .Kenning(MessageType::kModel);
  EXPECT_EQ(Told(script),
            AfterLoading({"LOGS", "MODEL ok 3", "LOGS", "MODEL ok 3", "LOGS", "MODEL ok 3"}));
  ASSERT_EQ(backend_.loads.size(), 4U);
  EXPECT_EQ(backend_.loads[1].sha256, backend_.loads[0].sha256);
  EXPECT_EQ(backend_.loads[3].sha256, Sha256Hex("M2"));
}

TEST_F(TargetServerTest, OptimisingOnTheTarget) {
  std::string request;
  backend_.optimize = [&](const std::string& json) -> Result<std::string> {
    request = json;
    const std::string sha256 = store_.Put(BytesOf("the smaller model")).value();
    return R"({"sha256": ")" + sha256 + R"("})";
  };
  options_.limits.max_part_bytes = 5;  // several reads of the store
  Requests script;
  script
      .Kenning(MessageType::kOptimizers,
               R"({"prev_block": {"model_path": "/etc/passwd", "model_type": "keras",
                   "io_spec": {"input": []}}, "optimizers": [{"type": "A"}, {"type": "B"}]})")
      .Kenning(MessageType::kOptimizeModel)
      .Kenning(MessageType::kUnoptimizedModel, "model")
      .Kenning(MessageType::kOptimizeModel);
  EXPECT_EQ(Told(script),
            (std::vector<std::string>{"LOGS", "OPTIMIZERS ok 10", "LOGS", "OPTIMIZE_MODEL fail 9",
                                      "UNOPTIMIZED_MODEL ok 4", "OPTIMIZE_MODEL ok 17 bytes"}));
  EXPECT_EQ(request, R"({"model":{"sha256":")" + Sha256Hex("model") +
                         R"(","format":"keras","io_spec":{"input":[]}},)" +
                         R"("optimizers":[{"type":"A"},{"type":"B"}]})");
}

TEST_F(TargetServerTest, TheOfferIsAnsweredWhereTheNativeModeIsOn) {
  Requests script;
  script.Kenning(MessageType::kStats, {}, kNativeOffer);
  script.Kenning(MessageType::kStats);
  auto answers = Run(script);
  EXPECT_EQ(answers.at(0).header.flags, 0x0179);
  EXPECT_EQ(answers.at(1).header.flags, 0x0079);
  options_.settings.native = NativeMode::kOff;
  answers = Run(script);
  EXPECT_EQ(answers.at(0).header.flags, 0x0079);
  options_.settings.native = NativeMode::kOn;
  EXPECT_EQ(Told(script), (std::vector<std::string>{"STATS ok 8 bytes", "LOGS", "STATS fail 8"}));
}

TEST_F(TargetServerTest, WithATokenKenningsClientsAreRefused) {
  options_.settings.token = "secret";
  Requests script = Loaded();
  EXPECT_EQ(Told(script),
            (std::vector<std::string>{"LOGS", "IO_SPEC fail 2", "LOGS", "MODEL fail 3"}));
  EXPECT_THAT(last_log_, HasSubstr("authentication"));
  EXPECT_TRUE(backend_.loads.empty());
}

TEST_F(TargetServerTest, LogsOfOtherThreadsComeWithTheNextAnswer) {
  Requests script;
  script.Kenning(MessageType::kStatus);
  ScriptedChannel channel(script.bytes);
  TargetServer server(channel, backend_, store_, options_);
  server.Log(LogLevel::kWarning, "it is hot");
  for (int i = 0; i < 3000; ++i) server.Log(LogLevel::kDebug, std::string(100, 'x'));
  ASSERT_TRUE(server.Serve());
  const auto answers = ParseMessages(channel.written());
  ASSERT_EQ(answers.size(), 2U);
  const auto logs = answers[0].logs();
  EXPECT_EQ(logs.front(), (LogRecord{LogLevel::kWarning, "it is hot"}));
  EXPECT_THAT(logs.back().text, HasSubstr("messages left out"));
  EXPECT_LT(answers[0].body.size(), 70'000U);
}

TEST_F(TargetServerTest, FailureAnswersOfOthers) {
  const WireSettings settings{.error_recovery = true};
  auto bytes = FailureAnswer(4, 0, false, StatusCode::kEngineFailure, "the session died", settings);
  auto messages = ParseMessages(bytes, false);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].logs().at(0), (LogRecord{LogLevel::kError, "the session died"}));
  EXPECT_EQ(messages[1].header.flags, 0x007A);
  EXPECT_EQ(messages[1].action(), 6);
  EXPECT_EQ(XorOf(bytes), 0);  // two messages, 0x4B each
  bytes = FailureAnswer(0, 0, false, StatusCode::kBusy, "", settings);
  EXPECT_EQ(bytes.size(), kHeaderBytes);  // PING has no payload
  bytes = FailureAnswer(71, 9, true, StatusCode::kBusy, "busy", settings);
  messages = ParseMessages(bytes, false);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_TRUE(messages[0].crc_right);
  EXPECT_EQ(messages[0].prefix.request_id, 9U);
  EXPECT_EQ(messages[0].status(), StatusCode::kBusy);
  EXPECT_EQ(messages[0].text(), "busy");
}

TEST_F(TargetServerTest, WhoIsSlowOrSilentIsLeft) {
  options_.limits.greeting_timeout_s = 0.02;
  options_.limits.idle_timeout_s = 0.02;
  options_.limits.message_timeout_s = 0.02;
  Requests status;
  status.Kenning(MessageType::kStatus);
  Requests half_body;
  half_body.Kenning(MessageType::kIoSpec, kSpec);
  half_body.bytes.resize(half_body.bytes.size() - 9);
  for (const ConstBytes sent : {ConstBytes(), ConstBytes(status.bytes),
                                ConstBytes(status.bytes).first(5), ConstBytes(half_body.bytes)}) {
    auto [host, target] = testing::MakeMemoryPair();
    const ConstBytes pieces[] = {sent};
    ASSERT_TRUE(host->WriteAll(pieces, Deadline::Never()));
    TargetServer server(*target, backend_, store_, options_);
    const Result<> ended = server.Serve();  // the client stays, and says no more
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code(), ErrorCode::kDeadlineExceeded) << sent.size();
  }
}

// Takes nothing: what is written to it waits in vain.
class DeafChannel final : public Channel {
 public:
  Result<std::size_t> ReadSome(MutableBytes, Deadline) override {
    return Fail(ErrorCode::kInternal, "read after a failed write");
  }
  Result<> WriteAll(std::span<const ConstBytes>, Deadline deadline) override {
    EXPECT_TRUE(deadline.remaining_ns().has_value());
    return Fail(ErrorCode::kDeadlineExceeded, "no bytes were taken within the time limit");
  }
  void Shutdown() noexcept override {}
  std::string peer() const override { return "deaf"; }
};

TEST_F(TargetServerTest, WhoDoesNotReadIsLeft) {
  DeafChannel channel;
  TargetServer server(channel, backend_, store_, options_);
  EXPECT_EQ(server.Serve().error().code(), ErrorCode::kDeadlineExceeded);
}

class UartServerTest : public TargetServerTest {
 protected:
  UartServerTest() {
    options_.settings = {
        .dialect = WireDialect::kUart, .error_recovery = true, .max_message_size = 136};
  }
  static Requests Opened() {
    Requests script(true, 136);
    script.Kenning(MessageType::kPing, {}, kSuccess);
    return script;
  }
};

TEST_F(UartServerTest, HandshakeStructuresAndClosing) {
  Requests script(true, 136);
  script.Kenning(MessageType::kStats).Kenning(MessageType::kPing, {}, kSuccess);
  script.Kenning(MessageType::kIoSpec, UartIoSpecFromJson(kSpec).value());
  script.Kenning(MessageType::kModel, "M" + std::string(300, 'x'));
  script.Kenning(MessageType::kData, std::as_bytes(std::span(sample_)));
  script.Kenning(MessageType::kProcess).Kenning(MessageType::kOutput).Kenning(MessageType::kStats);
  script.Kenning(MessageType::kPing, {}, kFail).Kenning(MessageType::kStats);
  backend_.statistics = R"({"allocation_stats": {"peak": 5}, "x_step": [0.5]})";
  EXPECT_EQ(Told(script), (std::vector<std::string>{
                              "LOGS", "STATS fail 8", "PING ok 0 bytes", "LOGS", "IO_SPEC ok 2",
                              "LOGS", "MODEL ok 3", "DATA ok 5", "PROCESS ok 6",
                              "OUTPUT ok 8 bytes", "STATS ok 96 bytes", "PING fail 0 bytes"}));
  EXPECT_TRUE(ended_);
  EXPECT_THAT(backend_.loads.at(0).io_spec, HasSubstr("input_0"));
}

TEST_F(UartServerTest, ASessionCanBeOpenedAgain) {
  Requests script = Opened();
  script.Kenning(MessageType::kPing, {}, kFail).Kenning(MessageType::kStatus);
  script.Kenning(MessageType::kPing, {}, kSuccess).Kenning(MessageType::kStatus);
  ScriptedChannel channel(script.bytes);
  TargetServer server(channel, backend_, store_, options_);
  ASSERT_TRUE(server.Serve());
  EXPECT_EQ(ParseMessages(channel.written(), false).size(), 2U);
  ASSERT_TRUE(server.Serve());  // nothing that was read ahead is lost
  const auto answers = ParseMessages(channel.written(), false);
  ASSERT_EQ(answers.size(), 6U);
  EXPECT_TRUE(answers[3].header.has(kFail));
  EXPECT_TRUE(answers[5].header.has(kSuccess));
}

TEST_F(UartServerTest, NoiseIsDroppedUntilTheLineIsQuiet) {
  auto [host, target] = testing::MakeMemoryPair();
  TargetServer server(*target, backend_, store_, options_);
  std::thread serving([&] { ended_ = server.Serve(); });
  const auto send = [&, channel = host.get()](ConstBytes bytes) {
    const ConstBytes pieces[] = {bytes};
    ASSERT_TRUE(channel->WriteAll(pieces, Deadline::Never()));
  };
  MessageReader reader(*host);
  const auto receive = [&] {
    bool ended = false;
    const Header header = reader.ReadHeader(ended, Deadline::After(60)).value();
    EXPECT_TRUE(reader.Skip(header.body_size(), Deadline::After(60)));
    return header;
  };
  send(Opened().bytes);
  EXPECT_TRUE(receive().has(kSuccess));
  // A byte too much: all that follows is shifted.
  std::vector<std::byte> noise = {std::byte{0xA5}};
  const Requests status = Requests(true, 136).Kenning(MessageType::kStatus);
  Requests long_one(true, 136);
  long_one.Kenning(MessageType::kModel, std::string(100, '\xFF'));
  noise.insert(noise.end(), long_one.bytes.begin(), long_one.bytes.end());
  send(noise);
  EXPECT_EQ(receive().type, MessageType::kLogs);  // and no answer of a type that nobody knows
  send(status.bytes);
  EXPECT_TRUE(receive().has(kSuccess));
  host.reset();
  serving.join();
  EXPECT_TRUE(ended_);
}

TEST_F(UartServerTest, AMessageThatBreaksOffIsDropped) {
  options_.limits.message_timeout_s = 0.05;
  auto [host, target] = testing::MakeMemoryPair();
  TargetServer server(*target, backend_, store_, options_);
  std::thread serving([&] { ended_ = server.Serve(); });
  const Requests open = Opened();
  const ConstBytes half[] = {ConstBytes(open.bytes).first(9)};
  const ConstBytes whole[] = {open.bytes};
  MessageReader reader(*host);
  // However the two come together in time, a later try gets through, as a client tries again.
  ASSERT_TRUE(host->WriteAll(half, Deadline::Never()));
  bool ended = false;
  Result<Header> answer = Fail(ErrorCode::kDeadlineExceeded, "");
  for (int tries = 0; tries < 100 && !answer; ++tries) {
    ASSERT_TRUE(host->WriteAll(whole, Deadline::Never()));
    answer = reader.ReadHeader(ended, Deadline::After(0.3));
  }
  EXPECT_TRUE(answer);
  host.reset();
  serving.join();
}

}  // namespace
}  // namespace kenning::wire
