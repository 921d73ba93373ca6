// SPDX-License-Identifier: Apache-2.0
// The server in the native mode.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "wire/auth.h"
#include "wire/hex.h"
#include "wire/little_endian.h"
#include "wire/target_server.h"
#include "wire/testing/memory_target.h"
#include "wire/testing/requests.h"

namespace kenning::wire {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;
using testing::BytesOf;
using testing::MakeMemoryPair;
using testing::MemoryBackend;
using testing::MemoryStore;
using testing::ParseMessages;
using testing::Received;
using testing::Requests;
using testing::ScriptedChannel;

constexpr std::uint16_t kFull = kHasPayload | kFirst | kLast;

class NativeServerTest : public ::testing::Test {
 protected:
  std::vector<Received> Run(const Requests& script, std::size_t most_bytes_a_read = SIZE_MAX) {
    ScriptedChannel channel(script.bytes, most_bytes_a_read);
    TargetServer server(channel, backend_, store_, options_);
    ended_ = server.Serve();
    writes_ = channel.writes();
    std::vector<Received> answers = ParseMessages(channel.written());
    for (const Received& one : answers) EXPECT_TRUE(one.crc_right);
    return answers;
  }
  std::vector<StatusCode> Statuses(const Requests& script) {
    std::vector<StatusCode> statuses;
    for (const Received& one : Run(script)) {
      EXPECT_EQ(one.header.has(kSuccess), one.status() == StatusCode::kOk);
      EXPECT_NE(one.header.has(kFail), one.header.has(kSuccess));
      statuses.push_back(one.status());
    }
    return statuses;
  }
  std::string Put(std::string_view model) { return store_.Put(BytesOf(model)).value(); }
  Requests Loaded(std::string_view model = "M") {
    Requests script;
    script.Native(NativeType::kModelLoad, 1, R"({"sha256": ")" + Put(model) + R"("})");
    return script;
  }
  ConstBytes Sample(std::size_t count = 1) {
    samples_.clear();
    for (std::size_t i = 0; i < count; ++i) {
      for (const float value : {1.F, 2.F, 3.F, static_cast<float>(i)}) samples_.push_back(value);
    }
    return std::as_bytes(std::span(samples_));
  }

  MemoryStore store_;
  MemoryBackend backend_{store_};
  ServerOptions options_;
  Result<> ended_;
  std::size_t writes_ = 0;
  std::vector<float> samples_;
};

TEST_F(NativeServerTest, HelloTellsLimitsAndWhatTheTargetIs) {
  Requests script;
  script.Native(NativeType::kHello, 7, R"({"versions": [1, 2], "client": "x"})");
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].header.flags, 0x0079);
  EXPECT_EQ(answers[0].header.flow, FlowControl::kTransmission);
  EXPECT_EQ(answers[0].prefix.request_id, 7U);
  EXPECT_NE(answers[0].prefix.sender_clock_ns, 0);
  const Json hello = Json::parse(answers[0].text());
  EXPECT_EQ(hello["versions"], Json({1}));
  EXPECT_EQ(hello["authentication"], "none");
  EXPECT_EQ(hello["authenticated"], true);
  EXPECT_EQ(hello["agent_version"], "0");
  EXPECT_EQ(hello["limits"]["max_part_bytes"], 8U << 20);
  EXPECT_TRUE(IsNonce(hello["nonce"].get<std::string>()));
}

TEST_F(NativeServerTest, HelloOfOtherVersionsOrForms) {
  for (const char* body : {R"({"versions": [2]})", "{}", R"({"versions": 1})"}) {
    Requests script;
    script.Native(NativeType::kHello, 1, body);
    EXPECT_EQ(Statuses(script), std::vector{StatusCode::kUnsupported}) << body;
  }
  Requests script;
  script.Native(NativeType::kHello, 1, "[").Native(NativeType::kHello, 2, "\xFF");
  EXPECT_EQ(Statuses(script),
            (std::vector{StatusCode::kInvalidArgument, StatusCode::kInvalidArgument}));
}

TEST_F(NativeServerTest, InferOneSampleInOneWrite) {
  Requests script = Loaded();
  script.Infer(2, 1, Sample());
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 2U);
  const Received& answer = answers.back();
  EXPECT_EQ(answer.native_type(), NativeType::kInfer);
  EXPECT_EQ(answer.prefix.sample_count, 1U);
  ASSERT_EQ(answer.body.size(), kInferTimesBytes + 8);
  EXPECT_EQ(answer.as<float>(kInferTimesBytes), (std::vector<float>{6, 0}));
  const auto times = answer.as<std::int64_t>();
  EXPECT_GT(times[0], 0);
  EXPECT_LE(times[0], times[1]);
  EXPECT_LE(times[1], times[2]);
  EXPECT_LE(times[2], times[3]);
  EXPECT_EQ(writes_, 3U);  // greeting and two answers
}

TEST_F(NativeServerTest, InferManySamplesWithAnyReads) {
  for (const std::size_t most : {std::size_t{1}, std::size_t{100}, SIZE_MAX}) {
    Requests script = Loaded();
    script.Infer(2, 100, Sample(100)).Infer(3, 2, Sample(2)).Infer(4, 1, Sample(1));
    const auto answers = Run(script, most);
    ASSERT_EQ(answers.size(), 4U);
    EXPECT_EQ(answers[1].prefix.sample_count, 100U);
    const auto outputs = answers[1].as<float>(100 * kInferTimesBytes);
    ASSERT_EQ(outputs.size(), 200U);
    EXPECT_EQ(outputs[0], 6);
    EXPECT_EQ(outputs[198], 105);
    EXPECT_EQ(outputs[199], 594);
    EXPECT_EQ(answers[3].as<float>(kInferTimesBytes).size(), 2U);
  }
  EXPECT_EQ(backend_.invokes, 309);
}

TEST_F(NativeServerTest, LargeOutputsAreSentFromWhereTheyAre) {
  ModelSpec spec;
  spec.inputs = {{.name = "a", .dtype = DType::kUint8, .shape = {3}}};
  spec.outputs = {{.name = "b", .dtype = DType::kUint8, .shape = {10'001}},
                  {.name = "c", .dtype = DType::kUint8, .shape = {10'003}}};
  backend_.spec = spec;
  backend_.invoke = [](std::span<const TensorView> in, std::span<const MutableTensorView> out) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(in[0].data) % 64, 0U);
    for (const MutableTensorView& one : out) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(one.data) % 64, 0U);
      std::memset(one.data, std::to_integer<int>(in[0].data[0]), one.size_bytes);
    }
    return Result<>();
  };
  Requests script = Loaded("anything");
  script.Infer(2, 3, BytesOf("AxxBxxCxx"));
  const auto answers = Run(script);
  const std::string text = answers.back().text().substr(3 * kInferTimesBytes);
  EXPECT_EQ(text, std::string(20'004, 'A') + std::string(20'004, 'B') + std::string(20'004, 'C'));
}

TEST_F(NativeServerTest, LyingInfers) {
  Requests script = Loaded();
  script.Infer(2, 0, Sample())
      .Infer(3, 3, Sample())
      .Infer(4, 0xFFFFFFFF, Sample())
      .Infer(5, 1, {})
      .Infer(6, 1, Sample(2))
      .Infer(7, 16, Sample())
      .Infer(8, 1, Sample());
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 8U);
  for (std::size_t i = 1; i < 7; ++i) {
    EXPECT_EQ(answers[i].status(), StatusCode::kInvalidArgument) << i;
    EXPECT_EQ(answers[i].prefix.request_id, i + 1);
    EXPECT_FALSE(answers[i].text().empty());
  }
  EXPECT_EQ(answers[7].status(), StatusCode::kOk);
  // A size that nothing follows.
  Requests huge = Loaded();
  huge.Head({.type = static_cast<MessageType>(NativeType::kInfer),
             .flags = kFull,
             .payload_size = 0xFFFFFFFF});
  huge.Raw(EncodePrefix({.request_id = 5, .sample_count = 1})).Raw(Sample());
  const auto refused = Run(huge);
  EXPECT_EQ(refused.back().status(), StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.back().prefix.request_id, 5U);
  EXPECT_EQ(ended_.error().code(), ErrorCode::kInvalidData);
}

TEST_F(NativeServerTest, EngineFailuresAndMissingModels) {
  Requests script;
  script.Infer(1, 1, Sample());
  EXPECT_EQ(Statuses(script), std::vector{StatusCode::kFailedPrecondition});
  Requests failing = Loaded("E");
  failing.Infer(2, 1, Sample());
  const auto answers = Run(failing);
  EXPECT_EQ(answers.back().status(), StatusCode::kEngineFailure);
  EXPECT_THAT(answers.back().text(), HasSubstr("Conv_7"));
}

TEST_F(NativeServerTest, WrongCrcIsToldAndTheSessionGoesOn) {
  Requests script = Loaded();
  script.Infer(2, 1, Sample());
  script.bytes.back() ^= std::byte{1};
  script.Native(NativeType::kEcho, 3, "abc");
  script.bytes.back() ^= std::byte{1};
  script.Native(NativeType::kEcho, 4, "abc");
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[1].status(), StatusCode::kInvalidData);
  EXPECT_EQ(answers[2].status(), StatusCode::kInvalidData);
  EXPECT_EQ(answers[3].text(), "abc");
  EXPECT_EQ(backend_.invokes, 0);
}

TEST_F(NativeServerTest, DynamicModels) {
  Requests script = Loaded("D");
  script
      .Infer(2, 1, Sample(3))  // three rows
      .Native(NativeType::kInferShapes, 3, R"({"shapes": [[2, 4]]})")
      .Infer(4, 2, Sample(4))  // two samples of two rows
      .Infer(5, 1, Sample(3))  // not what was set
      .Native(NativeType::kInferShapes, 6, R"({"shapes": [[2, 5]]})")
      .Native(NativeType::kInferShapes, 7, R"({"shapes": [[2, 4], [1]]})")
      .Native(NativeType::kInferShapes, 8, R"({"shapes": [[99999999, 4]]})")
      .Native(NativeType::kInferShapes, 9, R"({"shapes": [[-1, 4]]})")
      .Native(NativeType::kInferShapes, 10, R"({"shapes": [[1.5, 4]]})");
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 10U);
  EXPECT_EQ(answers[1].as<float>(kInferTimesBytes).size(), 6U);
  EXPECT_EQ(Json::parse(answers[2].text()),
            Json::parse(R"({"outputs": [{"name": "out", "dtype": "float32", "shape": [2, 2]}]})"));
  EXPECT_EQ(answers[3].as<float>(2 * kInferTimesBytes).size(), 8U);
  for (std::size_t i = 4; i < 10; ++i) EXPECT_TRUE(answers[i].header.has(kFail)) << i;
  EXPECT_EQ(answers[7].status(), StatusCode::kResourceExhausted);
}

TEST_F(NativeServerTest, ClockEchoStatisticsProfile) {
  Requests script;
  script.Native(NativeType::kClock, 1)
      .Native(NativeType::kEcho, 2, "")
      .Native(NativeType::kEcho, 3, std::string(100'000, 'e'))
      .Native(NativeType::kStatistics, 4)
      .Native(NativeType::kProfile, 5)
      .Native(NativeType::kClock, 6, "body");
  const auto answers = Run(script);
  ASSERT_EQ(answers.size(), 6U);
  const auto clock = answers[0].as<std::int64_t>();
  ASSERT_EQ(clock.size(), 2U);
  EXPECT_LE(clock[0], clock[1]);
  EXPECT_TRUE(answers[1].body.empty());
  EXPECT_EQ(answers[2].body.size(), 100'000U);
  EXPECT_EQ(answers[3].text(), R"({"native": true})");
  EXPECT_EQ(Json::parse(answers[4].text())["operators"][0]["total_ns"], 7);
  EXPECT_EQ(answers[5].status(), StatusCode::kResourceExhausted);
}

TEST_F(NativeServerTest, UploadThatGoesOn) {
  const std::string model = "M" + std::string(1000, 'x');
  const std::string sha256 = Sha256Hex(model);
  const Digest digest = *DigestFromHex(sha256);
  const auto part = [&](std::uint64_t offset, std::string_view bytes) {
    std::string body(reinterpret_cast<const char*>(digest.data()), digest.size());
    std::array<std::byte, 8> at;
    StoreLe(at.data(), offset);
    body.append(reinterpret_cast<const char*>(at.data()), at.size());
    return body.append(bytes);
  };
  const std::string have = R"({"size": 1001, "sha256": ")" + sha256 + R"("})";
  Requests script;
  script
      .Native(NativeType::kModelPart, 1, part(0, model))  // not asked for
      .Native(NativeType::kModelHave, 2, have)
      .Native(NativeType::kModelPart, 3, part(0, model.substr(0, 400)));
  auto answers = Run(script);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_EQ(answers[0].status(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(answers[1].as<std::uint64_t>(), std::vector<std::uint64_t>{0});
  EXPECT_EQ(answers[2].as<std::uint64_t>(), std::vector<std::uint64_t>{400});
  // Another session.
  Requests again;
  again.Native(NativeType::kModelHave, 1, have)
      .Native(NativeType::kModelPart, 2, part(400, model))              // too long
      .Native(NativeType::kModelPart, 3, part(1ULL << 63, "x"))         // beyond
      .Native(NativeType::kModelPart, 4, part(300, model.substr(300)))  // elsewhere
      .Native(NativeType::kModelPart, 5, part(400, model.substr(400)))
      .Native(NativeType::kModelHave, 6, have)
      .Native(NativeType::kModelFetch, 7, part(990, std::string("\xFF\0\0\0", 4)))
      .Native(NativeType::kModelFetch, 8, part(1001, std::string("\xFF\0\0\0", 4)))
      .Native(NativeType::kModelLoad, 9, R"({"sha256": ")" + sha256 + R"("})");
  answers = Run(again);
  ASSERT_EQ(answers.size(), 9U);
  EXPECT_EQ(answers[0].as<std::uint64_t>(), std::vector<std::uint64_t>{400});
  EXPECT_EQ(answers[1].status(), StatusCode::kInvalidArgument);
  EXPECT_EQ(answers[2].status(), StatusCode::kInvalidArgument);
  EXPECT_EQ(answers[3].status(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(answers[4].as<std::uint64_t>(), std::vector<std::uint64_t>{1001});
  EXPECT_EQ(answers[5].as<std::uint64_t>(), std::vector<std::uint64_t>{1001});
  EXPECT_EQ(answers[6].text(), std::string(11, 'x'));
  EXPECT_EQ(answers[7].text(), "");
  const Json loaded = Json::parse(answers[8].text());
  EXPECT_EQ(loaded["engine"], "memory");
  EXPECT_EQ(loaded["engine_version"], "1");
  EXPECT_EQ(loaded["runtime"], "MemoryRuntime");
  EXPECT_EQ(loaded["load_ns"], 5);
  EXPECT_EQ(loaded["io_spec"]["input"][0]["shape"], Json({1, 4}));
}

TEST_F(NativeServerTest, LoadRequestsAndBadOnes) {
  const std::string sha256 = Put("M");
  const std::string begin = R"({"sha256": ")" + sha256 + R"(", )";
  Requests script;
  script
      .Native(
          NativeType::kModelLoad, 1,
          begin + R"("format": "onnx", "io_spec": {"input": [], "output": []}, "profiling": true,
                         "runtime": {"type": "R", "parameters": {"threads": 2}}})")
      .Native(NativeType::kModelLoad, 2, begin + R"("runtime": "R"})")
      .Native(NativeType::kModelLoad, 3, begin + R"("io_spec": {"input": 5}})")
      .Native(NativeType::kModelLoad, 4, R"({"sha256": "../../etc/passwd"})")
      .Native(NativeType::kModelLoad, 5, R"({"sha256": ")" + Sha256Hex("other") + R"("})")
      .Native(NativeType::kModelLoad, 6, R"({"sha256": ")" + Put("garbage") + R"("})");
  EXPECT_EQ(Statuses(script), (std::vector{StatusCode::kOk, StatusCode::kInvalidArgument,
                                           StatusCode::kInvalidData, StatusCode::kInvalidArgument,
                                           StatusCode::kNotFound, StatusCode::kInvalidModel}));
  const LoadRequest& load = backend_.loads.at(0);
  EXPECT_EQ(load.format, "onnx");
  EXPECT_EQ(Json::parse(load.io_spec), Json::parse(R"({"input": [], "output": []})"));
  EXPECT_EQ(load.runtime_type, "R");
  EXPECT_EQ(load.runtime_parameters_json, R"({"threads":2})");
  EXPECT_TRUE(load.profiling);
}

TEST_F(NativeServerTest, DeepJsonIsRefused) {
  const std::string deep(1'000'000, '[');
  const std::string begin = R"({"sha256": ")" + Put("M") + R"(", "io_spec": {"a": )";
  backend_.optimize = [](const std::string&) -> Result<std::string> { return "{}"; };
  Requests script;
  script.Native(NativeType::kModelLoad, 1, begin + deep)
      .Native(NativeType::kModelLoad, 2, begin + deep + std::string(deep.size(), ']') + "}}")
      .Native(NativeType::kOptimize, 3, deep);
  EXPECT_EQ(Statuses(script), std::vector(3, StatusCode::kInvalidArgument));
  Requests kenning;
  kenning.Kenning(MessageType::kIoSpec, R"({"input": )" + deep)
      .Kenning(MessageType::kOptimizers, R"({"optimizers": [], "prev_block": {"io_spec": )" + deep +
                                             std::string(deep.size(), ']') + "}}");
  const auto answers = Run(kenning);
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(answers[1].header.has(kFail));
  EXPECT_TRUE(answers[3].header.has(kFail));
}

TEST_F(NativeServerTest, AFailedLoadLeavesNoModelBehind) {
  Requests script = Loaded();
  script.Native(NativeType::kModelLoad, 2, R"({"sha256": ")" + Put("garbage") + R"("})");
  script.Infer(3, 1, Sample());
  EXPECT_EQ(Statuses(script).back(), StatusCode::kFailedPrecondition);
}

TEST_F(NativeServerTest, Optimize) {
  backend_.optimize = [](const std::string& json) -> Result<std::string> { return json; };
  const std::string sha256 = Sha256Hex("x");
  const std::string good = R"({"model": {"sha256": ")" + sha256 + R"("}, "optimizers": []})";
  Requests script;
  script.Native(NativeType::kOptimize, 1, good)
      .Native(NativeType::kOptimize, 2, R"({"model": {"sha256": "1"}, "optimizers": []})")
      .Native(NativeType::kOptimize, 3, R"({"model": {"sha256": ")" + sha256 + R"("}})");
  EXPECT_EQ(Statuses(script), (std::vector{StatusCode::kOk, StatusCode::kInvalidArgument,
                                           StatusCode::kInvalidArgument}));
}

TEST_F(NativeServerTest, MessagesThatAreNotNative) {
  const auto type = static_cast<MessageType>(NativeType::kEcho);
  Requests script;
  script
      .Head({.type = type, .flags = kFirst | kLast})                            // no payload
      .Head({.type = type, .flags = kHasPayload | kFirst, .payload_size = 24})  // a part
      .Raw(NativePrefixBytes{})
      .Head({.type = type, .flags = kFull, .payload_size = 5})  // no prefix
      .Raw(BytesOf("12345"))
      .Head({.type = type, .flow = FlowControl::kTransmission, .flags = kFull, .payload_size = 24})
      .Raw(NativePrefixBytes{})
      .Head({.type = type,
             .flow = FlowControl::kRequestRetransmit,
             .flags = kFull,
             .payload_size = 24})
      .Raw(NativePrefixBytes{})
      .Native(NativeType::kEcho, 9, "ok");
  EXPECT_EQ(Statuses(script),
            (std::vector{StatusCode::kInvalidData, StatusCode::kInvalidData,
                         StatusCode::kInvalidData, StatusCode::kUnsupported, StatusCode::kOk}));
}

TEST_F(NativeServerTest, SwitchedOffTheTypesAreUnknown) {
  options_.settings.native = NativeMode::kOff;
  Requests script;
  script.Native(NativeType::kEcho, 1, "abc").Kenning(MessageType::kStatus);
  ScriptedChannel channel(script.bytes);
  TargetServer server(channel, backend_, store_, options_);
  ASSERT_TRUE(server.Serve());
  const ConstBytes answers = ConstBytes(channel.written()).last(26);
  const Header first = DecodeHeader(answers.first<12>());
  EXPECT_EQ(first.type, static_cast<MessageType>(NativeType::kEcho));
  EXPECT_EQ(first.flags, 0x007A);
  EXPECT_EQ(answers[12], std::byte{12});
}

// Gives what is asked for first, and anything else only once some time has gone by.
class SlowBody final : public Channel {
 public:
  SlowBody(ConstBytes bytes, std::size_t at_once) : inner_(bytes, at_once) {}
  Result<std::size_t> ReadSome(MutableBytes out, Deadline deadline) override {
    if (reads_++ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(3));
    return inner_.ReadSome(out, deadline);
  }
  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline deadline) override {
    return inner_.WriteAll(pieces, deadline);
  }
  void Shutdown() noexcept override { inner_.Shutdown(); }
  std::string peer() const override { return "slow"; }
  const std::vector<std::byte>& written() const { return inner_.written(); }

 private:
  ScriptedChannel inner_;
  int reads_ = 0;
};

TEST_F(NativeServerTest, DeadlinesThatAreOver) {
  // The request says one millisecond, and its body takes longer.
  Requests requests;
  requests.Native(NativeType::kEcho, 1, BytesOf("late"), {.deadline_or_status = 1});
  SlowBody channel(requests.bytes, kHeaderBytes + kNativePrefixBytes);
  TargetServer server(channel, backend_, store_, options_);
  ASSERT_TRUE(server.Serve());
  const auto answers = ParseMessages(channel.written());
  ASSERT_EQ(answers.size(), 1U);
  EXPECT_EQ(answers[0].status(), StatusCode::kDeadlineExceeded);
}

TEST_F(NativeServerTest, StateForWhoWatches) {
  SessionState state;
  options_.state = &state;
  int activity = 0;
  options_.on_activity = [&] { ++activity; };
  std::uint64_t type = 0;
  std::uint32_t busy = 0;
  std::int64_t deadline = 0;
  backend_.optimize = [&](const std::string&) -> Result<std::string> {
    type = state.request_type;
    busy = state.busy;
    deadline = state.deadline_ns;
    EXPECT_EQ(state.native, 1U);
    EXPECT_EQ(state.request_id, 77U);
    return "{}";
  };
  Requests script;
  script.Native(NativeType::kOptimize, 77,
                BytesOf(R"({"model": {"sha256": ")" + Sha256Hex("x") + R"("}, "optimizers": []})"),
                {.deadline_or_status = 60'000});
  const std::int64_t before = MonotonicNowNs();
  EXPECT_EQ(Statuses(script), std::vector{StatusCode::kOk});
  EXPECT_EQ(type, 75U);
  EXPECT_EQ(busy, 1U);
  EXPECT_GE(deadline, before + 60'000'000'000);
  EXPECT_EQ(state.busy, 0U);
  EXPECT_EQ(activity, 1);
}

class TokenTest : public NativeServerTest {
 protected:
  TokenTest() { options_.settings.token = "secret"; }
  // Talks to a server, because a proof needs the server's nonce.
  std::vector<StatusCode> Talk(std::string_view token, bool twice = false) {
    auto [host, target] = MakeMemoryPair();
    TargetServer server(*target, backend_, store_, options_);
    std::thread serving([&, channel = target.get()] {
      ended_ = server.Serve();
      channel->Shutdown();
    });
    std::vector<StatusCode> statuses;
    MessageReader reader(*host);
    std::byte greeting[1];
    EXPECT_TRUE(reader.Read(greeting, Deadline::After(60)));
    std::vector<std::byte> body;
    const auto ask = [&, channel = host.get()](const Requests& script) {
      const ConstBytes pieces[] = {script.bytes};
      static_cast<void>(channel->WriteAll(pieces, Deadline::Never()));
      bool ended = false;
      const auto header = reader.ReadHeader(ended, Deadline::After(60));
      if (!header || ended) return;
      NativePrefixBytes prefix;
      EXPECT_TRUE(reader.Read(prefix, Deadline::After(60)));
      body.resize(header->payload_size - kNativePrefixBytes);
      EXPECT_TRUE(reader.Read(body, Deadline::After(60)));
      statuses.push_back(static_cast<StatusCode>(DecodePrefix(prefix).deadline_or_status));
    };
    const std::string mine = NewNonce();
    ask(Requests().Native(NativeType::kStatistics, 1));
    ask(Requests().Native(NativeType::kAuth, 2, Digest{}));
    ask(Requests().Native(NativeType::kHello, 3,
                          R"({"versions": [1], "nonce": ")" + mine + R"("})"));
    const Json hello = Json::parse(std::string(reinterpret_cast<char*>(body.data()), body.size()));
    EXPECT_EQ(hello["authentication"], "token");
    EXPECT_EQ(hello["authenticated"], false);
    EXPECT_FALSE(hello.contains("engines"));
    const std::string theirs = hello["nonce"];
    const Digest proof = ClientProof(token, mine, theirs);
    ask(Requests().Native(NativeType::kAuth, 4, proof));
    if (statuses.back() == StatusCode::kOk) {
      EXPECT_TRUE(EqualInConstantTime(body, ServerProof(token, mine, theirs)));
    }
    if (twice) ask(Requests().Native(NativeType::kAuth, 5, proof));
    ask(Requests().Native(NativeType::kStatistics, 6));
    host.reset();
    serving.join();
    return statuses;
  }
};

TEST_F(TokenTest, TheRightTokenOpens) {
  EXPECT_EQ(Talk("secret"),
            (std::vector{StatusCode::kUnauthenticated, StatusCode::kFailedPrecondition,
                         StatusCode::kOk, StatusCode::kOk, StatusCode::kOk}));
  EXPECT_TRUE(ended_);
}

TEST_F(TokenTest, AProofServesOnce) {
  EXPECT_EQ(Talk("secret", true).at(4), StatusCode::kFailedPrecondition);
}

TEST_F(TokenTest, AnotherTokenEndsTheSession) {
  EXPECT_EQ(Talk("Secret"),
            (std::vector{StatusCode::kUnauthenticated, StatusCode::kFailedPrecondition,
                         StatusCode::kOk, StatusCode::kUnauthenticated}));
  EXPECT_EQ(ended_.error().code(), ErrorCode::kUnavailable);
}

TEST_F(TokenTest, StrangersHaveLittleTime) {
  options_.limits.greeting_timeout_s = 0.05;
  auto [host, target] = MakeMemoryPair();
  TargetServer server(*target, backend_, store_, options_);
  std::thread serving([&, channel = target.get()] {
    ended_ = server.Serve();
    channel->Shutdown();
  });
  const Requests hello = Requests().Native(NativeType::kHello, 1, "{}");
  const ConstBytes pieces[] = {hello.bytes};
  while (host->WriteAll(pieces, Deadline::Never())) std::this_thread::yield();
  serving.join();
  EXPECT_EQ(ended_.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(TokenTest, LargeBodiesOfStrangersEndTheSession) {
  Requests script;
  script.Head({.type = static_cast<MessageType>(NativeType::kModelPart),
               .flags = kFull,
               .payload_size = 8U << 20});
  script.Raw(EncodePrefix({.request_id = 1})).Raw(BytesOf("abc"));
  EXPECT_EQ(Statuses(script), std::vector{StatusCode::kUnauthenticated});
  EXPECT_EQ(ended_.error().code(), ErrorCode::kInvalidData);
}

TEST_F(TokenTest, WithoutATokenOnTheTargetAuthIsRefused) {
  options_.settings.token.clear();
  Requests script;
  script.Native(NativeType::kAuth, 1, Digest{});
  EXPECT_EQ(Statuses(script), std::vector{StatusCode::kFailedPrecondition});
}

}  // namespace
}  // namespace kenning::wire
