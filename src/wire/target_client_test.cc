// SPDX-License-Identifier: Apache-2.0
// The client in Kenning's mode: the recorded exchange, and peers that answer oddly.
#include "wire/target_client.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "wire/testing/memory_channel.h"
#include "wire/testing/scripted_peer.h"
#include "wire/uart_structs.h"

namespace kenning::wire {
namespace {

namespace fs = std::filesystem;
using testing::Answer;
using testing::Message;
using testing::PeerScript;
using testing::ScriptedPeer;

constexpr int kWhole = kFirst | kLast;

const char* const kSpec = R"({"input": [{"name": "x", "shape": [1, 2], "dtype": "float32"}],)"
                          R"( "output": [{"name": "y", "shape": [1, 2], "dtype": "float32"}]})";

WireSettings Settings(NativeMode native = NativeMode::kOff) {
  WireSettings settings;
  settings.native = native;
  return settings;
}

std::string Action(ServerAction action) { return std::string(1, static_cast<char>(action)); }

/// As Kenning's server answers.
std::string GoodAnswer(const Header& header, const std::string&) {
  switch (header.type) {
    case MessageType::kOutput:
      return Answer(header.type, std::string("\0\0\x80\x3f\0\0\0\x40", 8));
    case MessageType::kStats:
      return Answer(header.type, "{}");
    case MessageType::kOptimizeModel:
      return Answer(header.type, "compiled");
    case MessageType::kPing:
      return Message(header.type, FlowControl::kTransmission,
                     kWhole | (header.flags & (kSuccess | kFail)), "");
    default:
      return header.has(kLast) ? Answer(header.type, Action(ServerAction::kIdle)) : "";
  }
}

class TargetClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("target-client-" + std::to_string(::getpid()));
    fs::create_directories(root_);
    artifact_.path = root_ / "model.tflite";
    artifact_.format = "tflite";
    ASSERT_TRUE(WriteFileAtomically(artifact_.path, "model bytes"));
    script_->readable = std::string(1, '\0');
    script_->answer = GoodAnswer;
  }
  void TearDown() override { fs::remove_all(root_); }

  Result<> Connect(const WireSettings& settings = Settings()) {
    ClientOptions options;
    options.on_log = [this](LogLevel level, std::string_view line) {
      logs_.emplace_back(level, line);
    };
    KENNING_ASSIGN_OR_RETURN(
        client_, TargetClient::Connect(std::make_unique<ScriptedPeer>(script_), settings, options));
    return {};
  }
  Result<TargetClient::InferResult> Infer() {
    const TensorView input{reinterpret_cast<const std::byte*>(in_.data()), 8, DType::kFloat32,
                           shape_};
    const MutableTensorView output{reinterpret_cast<std::byte*>(out_.data()), 8, DType::kFloat32,
                                   shape_};
    return client_->Infer({&input, 1}, {&output, 1});
  }
  Result<> Load() { return client_->LoadModel(artifact_, kSpec, {}); }

  std::shared_ptr<PeerScript> script_ = std::make_shared<PeerScript>();
  std::unique_ptr<TargetClient> client_;
  std::vector<std::pair<LogLevel, std::string>> logs_;
  fs::path root_;
  ModelArtifact artifact_;
  std::array<float, 2> in_{1, 2};
  std::array<float, 2> out_{};
  Shape shape_{1, 2};
};

/// Messages of a stream, with where each ends.
struct Recorded {
  Header header;
  std::string payload;
  std::size_t end = 0;
};
std::vector<Recorded> Messages(const std::string& bytes, std::size_t at) {
  std::vector<Recorded> all;
  while (at + kHeaderBytes <= bytes.size()) {
    HeaderBytes head;
    std::memcpy(head.data(), bytes.data() + at, head.size());
    Recorded one;
    one.header = DecodeHeader(head);
    one.payload = bytes.substr(at + kHeaderBytes, one.header.body_size());
    at += kHeaderBytes + one.payload.size();
    one.end = at;
    all.push_back(std::move(one));
  }
  return all;
}

TEST_F(TargetClientTest, ReplaysTheRecordedExchange) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  const fs::path folder = fs::path(corpus) / "wire" / "kenning-0.8.2";
  const std::string sent = ReadFile(folder / "cap.c2s.bin").value();
  const std::string answered = ReadFile(folder / "cap.s2c.bin").value();
  const std::vector<Recorded> requests = Messages(sent, 0);
  const std::vector<Recorded> answers = Messages(answered, 1);
  ASSERT_EQ(requests.size(), 30U);

  // Answers become readable when their request was written, the lines before them, too.
  script_->readable = answered.substr(0, 1);
  script_->answer = [&, next = std::size_t{0}, from = std::size_t{1}](const Header& header,
                                                                      const std::string&) mutable {
    while (next < answers.size() && answers[next].header.type == MessageType::kLogs) ++next;
    EXPECT_LT(next, answers.size());
    EXPECT_EQ(answers[next].header.type, header.type);
    std::string bytes = answered.substr(from, answers[next].end - from);
    from = answers[next++].end;
    return bytes;
  };
  ASSERT_TRUE(Connect());

  const std::string optimizers = requests[0].payload;
  const std::string spec_key = R"("io_spec": )";
  const std::string list_key = R"(}, "optimizers": )";
  const std::size_t spec_at = optimizers.find(spec_key) + spec_key.size();
  const std::size_t list_at = optimizers.find(list_key);
  artifact_.path = folder / "magic_wand.h5";
  artifact_.format = "keras";
  const std::string list = optimizers.substr(list_at + list_key.size(),
                                             optimizers.size() - list_at - list_key.size() - 1);
  const auto optimised =
      client_->Optimize(artifact_, optimizers.substr(spec_at, list_at - spec_at), list);
  ASSERT_TRUE(optimised) << optimised.error().ToString();
  EXPECT_EQ(optimised->model_bytes, ReadFile(folder / "fp32.tflite").value());

  artifact_.path = folder / "fp32.tflite";
  artifact_.format = "tflite";
  const auto loaded =
      client_->LoadModel(artifact_, ReadFile(folder / "fp32.tflite.json").value(), {});
  ASSERT_TRUE(loaded) << loaded.error().ToString();

  std::size_t samples = 0;
  for (const Recorded& request : requests) {
    if (request.header.type != MessageType::kData) continue;
    ++samples;
    const Shape in_shape{1, 128, 3, 1};
    const Shape out_shape{1, 4};
    const TensorView input{reinterpret_cast<const std::byte*>(request.payload.data()),
                           request.payload.size(), DType::kFloat32, in_shape};
    std::array<float, 4> scores{};
    const MutableTensorView output{reinterpret_cast<std::byte*>(scores.data()), sizeof(scores),
                                   DType::kFloat32, out_shape};
    const auto result = client_->Infer({&input, 1}, {&output, 1});
    ASSERT_TRUE(result) << result.error().ToString();
    EXPECT_FALSE(result->times);
    EXPECT_NEAR(scores[0] + scores[1] + scores[2] + scores[3], 1, 1e-5);
  }
  EXPECT_EQ(samples, 8U);
  const auto statistics = client_->Statistics();
  ASSERT_TRUE(statistics);
  EXPECT_EQ(*statistics, answers.back().payload);
  ASSERT_TRUE(client_->Disconnect());
  EXPECT_TRUE(script_->written == sent) << "other bytes than Kenning's client sends";
  EXPECT_TRUE(script_->readable.empty());

  ASSERT_EQ(logs_.size(), 6U);
  EXPECT_EQ(logs_[0].second, "Loaded optimizers: TFLiteCompiler");
  EXPECT_EQ(logs_[2].first, LogLevel::kWarning);
  EXPECT_EQ(logs_[5].second, "Loading model");
}

TEST_F(TargetClientTest, SplitsLongPayloadsAsKenningDoes) {
  WireSettings settings = Settings();
  settings.max_message_size = 64;  // 52 of payload.
  ASSERT_TRUE(WriteFileAtomically(artifact_.path, std::string(130, 'm')));
  ASSERT_TRUE(Connect(settings));
  ASSERT_TRUE(Load());
  std::vector<Recorded> parts;
  for (const Recorded& one : Messages(script_->written, 0)) {
    if (one.header.type == MessageType::kModel) parts.push_back(one);
  }
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[0].header.flags, 0x0018);
  EXPECT_EQ(parts[1].header.flags, 0x0008);
  EXPECT_EQ(parts[2].header.flags, 0x0028);
  EXPECT_EQ(parts[0].payload.size(), 52U);
  EXPECT_EQ(parts[0].payload + parts[1].payload + parts[2].payload, std::string(130, 'm'));
  // The IO specification goes from memory, the model from a file.
  std::string spec;
  for (const Recorded& one : Messages(script_->written, 0)) {
    if (one.header.type == MessageType::kIoSpec) spec += one.payload;
  }
  EXPECT_EQ(spec, kSpec);
}

TEST_F(TargetClientTest, SampleOfSeveralTensorsIsSplitAcrossThem) {
  WireSettings settings = Settings();
  settings.max_message_size = 64;
  ASSERT_TRUE(Connect(settings));
  const char* const spec = R"({"input": [{"name": "a", "shape": [10], "dtype": "float32"},)"
                           R"( {"name": "b", "shape": [20], "dtype": "float32"}],)"
                           R"( "output": [{"name": "y", "shape": [1, 2], "dtype": "float32"}]})";
  ASSERT_TRUE(client_->LoadModel(artifact_, spec, {}));
  const std::string a(40, 'a');
  const std::string b(80, 'b');
  const Shape a_shape{10};
  const Shape b_shape{20};
  const std::array<TensorView, 2> inputs{
      TensorView{reinterpret_cast<const std::byte*>(a.data()), 40, DType::kFloat32, a_shape},
      TensorView{reinterpret_cast<const std::byte*>(b.data()), 80, DType::kFloat32, b_shape}};
  const MutableTensorView output{reinterpret_cast<std::byte*>(out_.data()), 8, DType::kFloat32,
                                 shape_};
  script_->written.clear();
  ASSERT_TRUE(client_->Infer(inputs, {&output, 1}));
  std::string data;
  for (const Recorded& one : Messages(script_->written, 0)) {
    if (one.header.type == MessageType::kData) data += one.payload;
  }
  EXPECT_EQ(data, a + b);
  EXPECT_EQ(out_[0], 1);
  EXPECT_EQ(out_[1], 2);
}

TEST_F(TargetClientTest, AnswersInPartsWithLinesBetween) {
  ASSERT_TRUE(Connect());
  script_->answer = [](const Header& header, const std::string&) {
    const std::string line("\x08 [INFO] ", 9);
    const int flags = kSuccess | kIsKenning;
    return Message(header.type, FlowControl::kTransmission, flags | kFirst, "{\"a\"") +
           Answer(MessageType::kLogs, std::string("\x0b [ERROR] no\x03yes", 16), 0) +
           Message(header.type, FlowControl::kTransmission, flags, ": ") +
           Message(MessageType::kTraceData, FlowControl::kTransmission, kWhole, "trace") +
           Message(MessageType::kLogs, FlowControl::kTransmission, kFirst,
                   std::string("\x05he", 3)) +
           Message(MessageType::kLogs, FlowControl::kTransmission, kLast, "llo") +
           Message(header.type, FlowControl::kTransmission, flags | kLast, "1}");
  };
  script_->most_bytes_a_read = 3;
  const auto statistics = client_->Statistics();
  ASSERT_TRUE(statistics) << statistics.error().ToString();
  EXPECT_EQ(*statistics, "{\"a\": 1}");
  ASSERT_EQ(logs_.size(), 3U);
  EXPECT_EQ(logs_[0], std::make_pair(LogLevel::kError, std::string("no")));
  EXPECT_EQ(logs_[2].second, "hello");
}

TEST_F(TargetClientTest, FailureTellsWhatTheTargetLogged) {
  ASSERT_TRUE(Connect());
  script_->answer = [](const Header& header, const std::string& payload) {
    if (header.type != MessageType::kModel) return GoodAnswer(header, payload);
    return Answer(MessageType::kLogs, std::string("\x17 [ERROR] not a flatbuffer", 26), 0) +
           Answer(header.type, Action(ServerAction::kUploadingModel), kFail);
  };
  const auto loaded = Load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kInvalidModel);
  EXPECT_NE(loaded.error().message().find("taking the model"), std::string::npos);
  EXPECT_NE(loaded.error().message().find("not a flatbuff"), std::string::npos);
  // The connection lives: another model may be tried.
  script_->answer = GoodAnswer;
  EXPECT_TRUE(Load());
  EXPECT_TRUE(Infer());
}

TEST_F(TargetClientTest, DeniedRequest) {
  ASSERT_TRUE(Connect());
  script_->answer = [](const Header& header, const std::string&) {
    return Message(header.type, FlowControl::kAcknowledge, kFail | kWhole, "");
  };
  const auto statistics = client_->Statistics();
  ASSERT_FALSE(statistics);
  EXPECT_NE(statistics.error().message().find("denied"), std::string::npos);
  script_->answer = GoodAnswer;
  EXPECT_TRUE(client_->Statistics());
}

TEST_F(TargetClientTest, OddAnswersEndTheConnectionWithAReason) {
  const auto whole = [](MessageType type, const std::string& payload) {
    return Answer(type, payload);
  };
  std::string lying = Answer(MessageType::kData, "1");
  lying[8] = lying[9] = lying[10] = lying[11] = '\xff';
  const struct {
    const char* what;
    std::string answer;
    ErrorCode code;
  } cases[] = {
      {"another type", whole(MessageType::kProcess, "\5"), ErrorCode::kInvalidData},
      {"a request", Message(MessageType::kData, FlowControl::kRequest, kWhole, ""),
       ErrorCode::kInvalidData},
      {"an acknowledgement", Message(MessageType::kData, FlowControl::kAcknowledge, kWhole, ""),
       ErrorCode::kInvalidData},
      {"no first part", Message(MessageType::kData, FlowControl::kTransmission, kLast, "\5"),
       ErrorCode::kInvalidData},
      {"two first parts",
       Message(MessageType::kData, FlowControl::kTransmission, kFirst, "\5") +
           Message(MessageType::kData, FlowControl::kTransmission, kFirst, "\5"),
       ErrorCode::kInvalidData},
      {"a long confirmation", whole(MessageType::kData, std::string(17, 'x')),
       ErrorCode::kInvalidData},
      {"a lying size", lying, ErrorCode::kInvalidData},
      {"unknown type", whole(static_cast<MessageType>(99), "x"), ErrorCode::kInvalidData},
      {"garbage", std::string(100, 'g'), ErrorCode::kInvalidData},
      {"too many log bytes",
       Message(MessageType::kLogs, FlowControl::kTransmission, kWhole, std::string(2U << 20, 'l')),
       ErrorCode::kInvalidData},
      {"silence", "", ErrorCode::kDeadlineExceeded},
      {"half a header", whole(MessageType::kData, "\5").substr(0, 7), ErrorCode::kDeadlineExceeded},
      {"half a payload", whole(MessageType::kData, "12345678").substr(0, 15),
       ErrorCode::kDeadlineExceeded},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(one.what);
    script_->readable = std::string(1, '\0');
    script_->answer = GoodAnswer;
    WireSettings settings = Settings();
    settings.timeout_s = 0.01;
    ASSERT_TRUE(Connect(settings));
    ASSERT_TRUE(Load());
    script_->answer = [&one](const Header&, const std::string&) { return one.answer; };
    const auto result = Infer();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), one.code) << result.error().ToString();
    script_->answer = GoodAnswer;
    const auto later = client_->Statistics();
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code(), one.code);
    EXPECT_NE(later.error().message().find("is over"), std::string::npos);
  }
}

TEST_F(TargetClientTest, OutputsOfAnotherSize) {
  for (const std::size_t size : {0U, 1U, 7U, 9U, 4000U}) {
    script_->readable = std::string(1, '\0');
    script_->answer = [size](const Header& header, const std::string& payload) {
      if (header.type != MessageType::kOutput) return GoodAnswer(header, payload);
      return Answer(header.type, std::string(size, 'o'));
    };
    ASSERT_TRUE(Connect());
    ASSERT_TRUE(Load());
    const auto result = Infer();
    ASSERT_FALSE(result) << size;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData);
  }
}

TEST_F(TargetClientTest, CloseAtEveryByte) {
  // What a whole session reads.
  ASSERT_TRUE(Connect());
  std::string all(1, '\0');
  script_->answer = [&all](const Header& header, const std::string& payload) {
    all += GoodAnswer(header, payload);
    return GoodAnswer(header, payload);
  };
  const auto session = [this]() -> Result<> {
    KENNING_RETURN_IF_ERROR(Load());
    KENNING_RETURN_IF_ERROR(Infer());
    KENNING_RETURN_IF_ERROR(client_->Statistics());
    return {};
  };
  ASSERT_TRUE(session());
  for (std::size_t cut = 0; cut < all.size(); ++cut) {
    script_->answer = nullptr;
    script_->readable = all.substr(0, cut);
    script_->ends = true;
    Result<> done = Connect();
    if (done) done = session();
    ASSERT_FALSE(done) << cut;
    ASSERT_EQ(done.error().code(), ErrorCode::kTargetLost) << cut << done.error().ToString();
  }
}

TEST_F(TargetClientTest, GreetingIsCheckedAndAwaited) {
  script_->readable = "HTTP/1.1 400";
  auto connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kInvalidData);
  script_->readable = "";
  connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_NE(connected.error().message().find("another client"), std::string::npos);
  script_->ends = true;
  connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kTargetLost);
}

TEST_F(TargetClientTest, EndlessLogsAreNoAnswer) {
  auto [near, far] = testing::MakeMemoryPair();
  const std::string greeting(1, '\0');
  const ConstBytes piece = testing::BytesOf(greeting);
  ASSERT_TRUE(far->WriteAll({&piece, 1}, Deadline::Never()));
  WireSettings settings = Settings();
  settings.timeout_s = 0.05;
  auto client = TargetClient::Connect(std::move(near), settings);
  ASSERT_TRUE(client);
  std::string flood;
  for (int i = 0; i < 100000; ++i) flood += Answer(MessageType::kLogs, "\1x", 0);
  const ConstBytes bytes = testing::BytesOf(flood);
  ASSERT_TRUE(far->WriteAll({&bytes, 1}, Deadline::Never()));
  const auto answer = (*client)->Statistics();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(TargetClientTest, WaitsEndWhenTheOwnerWantsToStop) {
  auto [near, far] = testing::MakeMemoryPair();
  const std::string greeting(1, '\0');
  const ConstBytes piece = testing::BytesOf(greeting);
  ASSERT_TRUE(far->WriteAll({&piece, 1}, Deadline::Never()));
  CancelToken cancel;
  ClientOptions options;
  options.cancel = &cancel;
  auto client = TargetClient::Connect(std::move(near), Settings(), options);
  ASSERT_TRUE(client);
  std::thread stopper([&cancel, peer = far.get()] {
    std::array<std::byte, 12> request{};
    EXPECT_TRUE(peer->ReadSome(request, Deadline::Never()));
    cancel.Cancel();
  });
  const auto answer = (*client)->Statistics();
  stopper.join();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kCancelled);
}

TEST_F(TargetClientTest, FoldersCannotTravel) {
  artifact_.path = root_ / "saved_model";
  ASSERT_TRUE(WriteFileAtomically(artifact_.path / "saved_model.pb", "graph"));
  ASSERT_TRUE(Connect());
  const auto loaded = Load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code(), ErrorCode::kUnsupported);
  const auto optimised = client_->Optimize(artifact_, kSpec, "[]");
  ASSERT_FALSE(optimised);
  EXPECT_EQ(optimised.error().code(), ErrorCode::kUnsupported);
}

TEST_F(TargetClientTest, OfferIsMadeOnceAndTakenAsANo) {
  ASSERT_TRUE(Connect(Settings(NativeMode::kAuto)));
  const auto native = client_->Negotiate();
  ASSERT_TRUE(native);
  EXPECT_FALSE(*native);
  ASSERT_TRUE(Load());
  const std::vector<Recorded> sent = Messages(script_->written, 0);
  ASSERT_EQ(sent.size(), 3U);
  EXPECT_EQ(sent[0].header.type, MessageType::kStats);
  EXPECT_EQ(sent[0].header.flags, 0x0130);
  EXPECT_EQ(sent[1].header.flags, 0x0038);
  const auto clock = client_->MeasureClock();
  ASSERT_FALSE(clock);
  EXPECT_EQ(clock.error().code(), ErrorCode::kUnsupported);
}

TEST_F(TargetClientTest, PresentModelIsNotSent) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(client_->LoadPresentModel(kSpec));
  const std::vector<Recorded> sent = Messages(script_->written, 0);
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[1].header.type, MessageType::kModel);
  EXPECT_EQ(sent[1].header.flags, 0x0030);
  EXPECT_TRUE(Infer());
}

TEST_F(TargetClientTest, WrongCallsAreSaid) {
  ASSERT_TRUE(Connect());
  auto result = Infer();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kFailedPrecondition);
  ASSERT_TRUE(Load());
  const auto empty = client_->Infer({}, {});
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_TRUE(Infer());
  artifact_.path = root_ / "nothing";
  const auto missing = Load();
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(client_->Statistics());
}

TEST_F(TargetClientTest, BatchOfAnySizeIsResolvedFromTheInputs) {
  ASSERT_TRUE(Connect());
  const char* const spec = R"({"input": [{"name": "x", "shape": [-1, 2], "dtype": "float32"}],)"
                           R"( "output": [{"name": "y", "shape": [-1, 3], "dtype": "float32"}]})";
  ASSERT_TRUE(client_->LoadModel(artifact_, spec, {}));
  const Shape in{5, 2};
  const auto outputs = client_->ResolveOutputs({&in, 1});
  ASSERT_TRUE(outputs);
  EXPECT_EQ(outputs->at(0).shape, (Shape{5, 3}));
}

class UartClientTest : public TargetClientTest {
 protected:
  void SetUp() override {
    TargetClientTest::SetUp();
    script_->readable.clear();
  }
  static WireSettings Uart(NativeMode native = NativeMode::kOff) {
    WireSettings settings = Settings(native);
    settings.dialect = WireDialect::kUart;
    settings.error_recovery = true;
    settings.max_message_size = 136;
    return settings;
  }
  /// An answer with its checksum.
  static std::string Sealed(std::string message) {
    message[5] = 0;
    std::uint8_t sum = 0x4B;
    for (const char c : message) sum ^= static_cast<std::uint8_t>(c);
    message[5] = static_cast<char>(sum);
    return message;
  }
  static std::string SealedAnswer(const Header& header, const std::string& payload) {
    const std::string answer = GoodAnswer(header, payload);
    return answer.empty() ? answer : Sealed(answer);
  }
};

TEST_F(UartClientTest, WholeSession) {
  script_->readable = "booting...\r\n";
  script_->answer = SealedAnswer;
  ASSERT_TRUE(Connect(Uart()));
  ASSERT_TRUE(Load());
  ASSERT_TRUE(Infer());
  EXPECT_EQ(out_[1], 2);
  script_->answer = [](const Header& header, const std::string&) {
    return Sealed(Answer(header.type, testing::TextOf(EncodeUartStats(
                                          {{"invoke", UartStatType::kInferenceTime, 1500000}}))));
  };
  const auto statistics = client_->Statistics();
  ASSERT_TRUE(statistics) << statistics.error().ToString();
  EXPECT_NE(statistics->find("invoke"), std::string::npos);
  script_->answer = SealedAnswer;
  ASSERT_TRUE(client_->Disconnect());
  const std::vector<Recorded> sent = Messages(script_->written, 0);
  EXPECT_EQ(sent.front().header.type, MessageType::kPing);
  EXPECT_EQ(sent.front().header.flags, kSuccess | kWhole);
  EXPECT_EQ(sent.back().header.flags, kFail | kWhole);
  std::string spec;
  for (const Recorded& one : sent) {
    ASSERT_LE(one.payload.size() + kHeaderBytes, 136U);
    if (one.header.type != MessageType::kIoSpec) continue;
    EXPECT_TRUE(one.header.has(kSerialized));
    spec += one.payload;
  }
  EXPECT_EQ(spec.size(), kUartIoSpecBytes);
}

TEST_F(UartClientTest, LateAnswersToPingsArePassedOver) {
  script_->answer = [pings = 0](const Header& header, const std::string& payload) mutable {
    if (header.type == MessageType::kPing && ++pings < 3) return std::string();
    const std::string answer = SealedAnswer(header, payload);
    return pings == 3 && header.type == MessageType::kPing ? answer + answer + answer : answer;
  };
  ASSERT_TRUE(Connect(Uart(NativeMode::kAuto)));
  EXPECT_FALSE(client_->native());
  ASSERT_TRUE(Load());
  const std::vector<Recorded> sent = Messages(script_->written, 0);
  // The offer is made first, and left out for who might stumble over it.
  EXPECT_TRUE(sent[0].header.has(kNativeOffer));
  EXPECT_TRUE(sent[1].header.has(kNativeOffer));
  EXPECT_FALSE(sent[2].header.has(kNativeOffer));
  EXPECT_FALSE(sent[3].header.has(kNativeOffer));
}

TEST_F(UartClientTest, NobodyThere) {
  script_->answer = nullptr;
  WireSettings settings = Uart();
  settings.timeout_s = 0.01;
  const auto connected = Connect(settings);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kTargetLost);
  EXPECT_EQ(Messages(script_->written, 0).size(), 5U);
}

TEST_F(UartClientTest, DeniedSession) {
  script_->answer = [](const Header& header, const std::string&) {
    return Sealed(Message(header.type, FlowControl::kTransmission, kFail | kWhole, ""));
  };
  const auto connected = Connect(Uart());
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kUnavailable);
}

TEST_F(UartClientTest, ChangedByteIsSeen) {
  script_->answer = SealedAnswer;
  ASSERT_TRUE(Connect(Uart()));
  ASSERT_TRUE(Load());
  script_->answer = [](const Header& header, const std::string& payload) {
    std::string answer = SealedAnswer(header, payload);
    if (header.type == MessageType::kOutput) answer.back() ^= 1;
    return answer;
  };
  const auto result = Infer();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData);
  EXPECT_NE(result.error().message().find("checksum"), std::string::npos);
}

TEST_F(UartClientTest, WrongStatistics) {
  script_->answer = SealedAnswer;
  ASSERT_TRUE(Connect(Uart()));
  script_->answer = [](const Header& header, const std::string&) {
    return Sealed(Answer(header.type, "12345"));
  };
  const auto statistics = client_->Statistics();
  ASSERT_FALSE(statistics);
  EXPECT_EQ(statistics.error().code(), ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace kenning::wire
