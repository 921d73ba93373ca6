// SPDX-License-Identifier: Apache-2.0
// The client in the native mode against scripted targets, good ones and odd ones.
#include "wire/native_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>

#include "kenning/base/file.h"
#include "wire/auth.h"
#include "wire/clean_text.h"
#include "wire/little_endian.h"
#include "wire/testing/scripted_peer.h"

namespace kenning::wire {
namespace {

namespace fs = std::filesystem;
using testing::Answer;
using ::testing::HasSubstr;
using testing::NativeAnswer;
using testing::PeerScript;
using testing::ScriptedPeer;

constexpr char kToken[] = "0123456789abcdef";
const char* const kSpec = R"({"input": [{"name": "x", "shape": [1, 2], "dtype": "float32"}],)"
                          R"( "output": [{"name": "y", "shape": [1, 2], "dtype": "float32"}]})";

struct Request {
  Header header;
  NativePrefix prefix;
  std::string body;
  NativeType type() const { return static_cast<NativeType>(header.type); }
};

std::string Number(std::uint64_t value) {
  std::string text(8, '\0');
  std::memcpy(text.data(), &value, 8);
  return text;
}
std::string Times(std::int64_t received = 10) {
  std::string text;
  for (const std::int64_t add : {0, 1, 5, 6}) {
    text += Number(static_cast<std::uint64_t>(received + add));
  }
  return text;
}

class NativeClientTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("native-client-" + std::to_string(::getpid()));
    fs::create_directories(root_);
    artifact_.path = root_ / "model.tflite";
    artifact_.format = "tflite";
    ASSERT_TRUE(WriteFileAtomically(artifact_.path, std::string(700 * 1000, 'm')));
    settings_.native = NativeMode::kOn;
    script_->readable = std::string(1, '\0');
    script_->answer = [this](const Header& header, const std::string& payload) {
      return AnswerTo(header, payload);
    };
  }
  void TearDown() override { fs::remove_all(root_); }

  /// Takes the request apart, then asks `odd_`, then answers as a good target does.
  std::string AnswerTo(const Header& header, const std::string& payload) {
    Request request;
    request.header = header;
    if (payload.size() >= kNativePrefixBytes) {
      NativePrefixBytes prefix;
      std::memcpy(prefix.data(), payload.data(), prefix.size());
      request.prefix = DecodePrefix(prefix);
      request.body = payload.substr(kNativePrefixBytes);
    }
    requests_.push_back(request);
    if (odd_) {
      if (std::optional<std::string> bytes = odd_(request)) return *bytes;
    }
    if (static_cast<std::uint64_t>(header.type) < kFirstNativeType) {
      return Answer(header.type, "{}", kSuccess | kNativeOffer);
    }
    return Good(request, GoodBody(request));
  }
  static std::string Good(const Request& request, const std::string& body) {
    return NativeAnswer(request.type(), request.prefix.request_id, body);
  }
  static std::string Bad(const Request& request, StatusCode status, const std::string& text) {
    return NativeAnswer(request.type(), request.prefix.request_id, text, status);
  }

  std::string GoodBody(const Request& request) {
    switch (request.type()) {
      case NativeType::kHello:
        if (const std::size_t at = request.body.find("nonce\":\""); at != std::string::npos) {
          client_nonce_ = request.body.substr(at + 8, 64);
        }
        return hello_;
      case NativeType::kAuth: {
        const Digest proof = ClientProof(kToken, client_nonce_, nonce_);
        EXPECT_EQ(request.body, testing::TextOf(proof));
        return testing::TextOf(ServerProof(kToken, client_nonce_, nonce_));
      }
      case NativeType::kEcho:
        return request.body;
      case NativeType::kModelHave:
        return Number(model_.size());
      case NativeType::kModelPart:
        model_ += request.body.substr(40);
        return Number(model_.size());
      case NativeType::kModelLoad:
        return std::string(R"({"io_spec": )") + kSpec +
               R"(, "engine": "tflite", "engine_version": "2.19"})";
      case NativeType::kInfer: {
        std::string outputs = request.body;
        std::reverse(outputs.begin(), outputs.end());
        return Times() + outputs;
      }
      case NativeType::kInferShapes:
        return R"({"outputs": [{"name": "y", "dtype": "float32", "shape": [3, 2]}]})";
      case NativeType::kProfile:
        return R"({"operators": [{"name": "conv", "op_type": "Conv", "total_ns": 5, "calls": 2}]})";
      case NativeType::kOptimize:
        return R"({"size": 3, "sha256": ")" + Sha256Hex("abc") +
               R"(", "format": "tflite", "io_spec": {"input": []}, "provenance":)"
               R"( [{"block": "TFLiteCompiler", "notes": ["n", 1], "duration_s": 0.5}]})";
      case NativeType::kModelFetch: {
        const auto at =
            LoadLe<std::uint64_t>(reinterpret_cast<const std::byte*>(request.body.data()) + 32);
        return at < 3 ? std::string("abc").substr(at, 1) : "";
      }
      case NativeType::kStatistics:
        return "{}";
      case NativeType::kClock: {
        const auto now = static_cast<std::uint64_t>(MonotonicNowNs() + 1'000'000'000'000);
        return Number(now) + Number(now);
      }
    }
    return "";
  }

  Result<> Connect() {
    ClientOptions options;
    KENNING_ASSIGN_OR_RETURN(client_, TargetClient::Connect(std::make_unique<ScriptedPeer>(script_),
                                                            settings_, options));
    return {};
  }
  Result<> Load() { return client_->LoadModel(artifact_, kSpec, {}); }
  TensorView In() const {
    return {reinterpret_cast<const std::byte*>(in_.data()), 8, DType::kFloat32, shape_};
  }
  MutableTensorView Out() {
    return {reinterpret_cast<std::byte*>(out_.data()), 8, DType::kFloat32, shape_};
  }
  Result<TargetClient::InferResult> Infer() {
    const TensorView input = In();
    const MutableTensorView output = Out();
    return client_->Infer({&input, 1}, {&output, 1});
  }
  Result<> SendInfer() {
    const TensorView input = In();
    return client_->SendInfer({&input, 1});
  }
  Result<TargetClient::InferResult> ReceiveInfer() {
    const MutableTensorView output = Out();
    return client_->ReceiveInfer({&output, 1});
  }
  std::size_t Count(NativeType type) const {
    return std::ranges::count(requests_, type, [](const Request& one) { return one.type(); });
  }

  std::shared_ptr<PeerScript> script_ = std::make_shared<PeerScript>();
  std::function<std::optional<std::string>(const Request&)> odd_;
  std::vector<Request> requests_;
  std::unique_ptr<TargetClient> client_;
  WireSettings settings_;
  fs::path root_;
  ModelArtifact artifact_;
  std::string model_;
  std::string nonce_ = Sha256Hex("a nonce");
  std::string client_nonce_;
  std::string hello_ =
      R"({"versions": [1], "authentication": "none", "agent_version": "9", "max_payload_bytes":)"
      R"( 1000000, "limits": {"max_part_bytes": 300000}})";
  std::array<float, 2> in_{1, 2};
  std::array<float, 2> out_{};
  Shape shape_{1, 2};
};

TEST_F(NativeClientTest, WholeSession) {
  ASSERT_TRUE(Connect());
  EXPECT_TRUE(client_->native());
  EXPECT_EQ(client_->Info()->agent_version, "9");
  ASSERT_TRUE(Load());
  EXPECT_EQ(model_.size(), 700U * 1000);
  EXPECT_EQ(client_->engine().name, "tflite");
  EXPECT_EQ(client_->spec().inputs.size(), 1U);
  const auto result = Infer();
  ASSERT_TRUE(result) << result.error().ToString();
  ASSERT_TRUE(result->times);
  EXPECT_EQ(result->process_ns, 4);
  EXPECT_EQ(result->times->received_ns, 10);
  std::string sent(reinterpret_cast<const char*>(in_.data()), 8);
  std::reverse(sent.begin(), sent.end());
  EXPECT_EQ(std::memcmp(out_.data(), sent.data(), 8), 0);
  EXPECT_EQ(requests_.back().prefix.sample_count, 1U);
  EXPECT_EQ(requests_.back().prefix.deadline_or_status, 60000U);
  const Shape in{3, 2};
  EXPECT_EQ(client_->ResolveOutputs({&in, 1})->at(0).shape, in);
  EXPECT_EQ(client_->Statistics().value(), "{}");
  const auto profile = client_->Profile();
  ASSERT_TRUE(profile);
  EXPECT_EQ(profile->at(0).name, "conv");
  EXPECT_EQ(profile->at(0).calls, 2U);
  EXPECT_GT(client_->Echo(1000).value(), 0);
  EXPECT_TRUE(client_->Disconnect());
  EXPECT_FALSE(Infer());
}

TEST_F(NativeClientTest, RequestsAreSound) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(Load());
  ASSERT_TRUE(Infer());
  std::uint32_t last = 0;
  for (const Request& request : requests_) {
    EXPECT_EQ(request.header.flags, 0x0038) << ToString(request.header);
    EXPECT_EQ(request.header.flow, FlowControl::kRequest);
    EXPECT_GT(request.prefix.request_id, last);
    last = request.prefix.request_id;
    const ConstBytes body = std::as_bytes(std::span(request.body));
    EXPECT_EQ(NativeCrc(request.header, request.prefix, {&body, 1}), request.prefix.crc32c);
  }
}

TEST_F(NativeClientTest, OfferIsTaken) {
  settings_.native = NativeMode::kAuto;
  ASSERT_TRUE(Connect());
  EXPECT_TRUE(requests_.empty());
  ASSERT_TRUE(Load());
  EXPECT_TRUE(client_->native());
  EXPECT_EQ(requests_[0].header.type, MessageType::kStats);
  EXPECT_EQ(requests_[0].header.flags, 0x0130);
  EXPECT_EQ(requests_[1].type(), NativeType::kHello);
  EXPECT_EQ(Count(static_cast<NativeType>(MessageType::kIoSpec)), 0U);
}

TEST_F(NativeClientTest, OfferIsSeenInAFailureToo) {
  settings_.native = NativeMode::kAuto;
  odd_ = [](const Request& request) -> std::optional<std::string> {
    if (request.header.type != MessageType::kStats) return std::nullopt;
    return Answer(request.header.type, "\x08", kFail | kNativeOffer);
  };
  ASSERT_TRUE(Connect());
  EXPECT_TRUE(client_->Negotiate().value());
}

TEST_F(NativeClientTest, BusyTargetIsSaid) {
  odd_ = [](const Request& request) {
    return Bad(request, StatusCode::kBusy, "the target serves another client");
  };
  const auto connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kUnavailable);
  EXPECT_EQ(connected.error().message(), "busy: the target serves another client");
}

// As our agent does it for a client that does not speak the native mode yet.
TEST_F(NativeClientTest, BusyTargetThatLeavesIsSaid) {
  settings_.native = NativeMode::kAuto;
  script_->ends = true;
  odd_ = [](const Request& request) -> std::optional<std::string> {
    if (request.header.type != MessageType::kStats) return "";
    const std::string line = " [ERROR] busy: this target serves another";
    return Answer(MessageType::kLogs, static_cast<char>(line.size()) + line, 0) +
           Answer(request.header.type, "\x08", kFail | kNativeOffer);
  };
  ASSERT_TRUE(Connect());
  const auto native = client_->Negotiate();
  ASSERT_FALSE(native);
  EXPECT_EQ(native.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(native.error().message(), HasSubstr("busy: this target"));
}

TEST_F(NativeClientTest, PeerWithoutTheModeIsSaid) {
  odd_ = [](const Request&) { return ""; };
  settings_.timeout_s = 0.01;
  const auto connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kDeadlineExceeded);
  EXPECT_THAT(connected.error().ToString(), HasSubstr("native mode"));
}

TEST_F(NativeClientTest, TokenIsProvenBothWays) {
  settings_.token = kToken;
  hello_ = R"({"versions": [1], "authentication": "token", "nonce": ")" + nonce_ + R"("})";
  ASSERT_TRUE(Connect());
  EXPECT_EQ(Count(NativeType::kHello), 2U);
  EXPECT_EQ(script_->written.find(kToken), std::string::npos);

  odd_ = [](const Request& request) -> std::optional<std::string> {
    if (request.type() != NativeType::kAuth) return std::nullopt;
    return Good(request, std::string(32, 'x'));
  };
  script_->readable = std::string(1, '\0');
  auto connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_THAT(connected.error().message(), HasSubstr("does not know the token"));

  odd_ = [](const Request& request) -> std::optional<std::string> {
    if (request.type() != NativeType::kAuth) return std::nullopt;
    return Bad(request, StatusCode::kUnauthenticated, "wrong");
  };
  script_->readable = std::string(1, '\0');
  connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kUnavailable);
}

TEST_F(NativeClientTest, TokensThatDoNotMeet) {
  hello_ = R"({"versions": [1], "authentication": "token", "nonce": ")" + nonce_ + R"("})";
  auto connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_THAT(connected.error().message(), HasSubstr("wants a token"));
  settings_.token = kToken;
  hello_ = R"({"versions": [1], "authentication": "none"})";
  script_->readable = std::string(1, '\0');
  connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_THAT(connected.error().message(), HasSubstr("asks for no token"));
  settings_.native = NativeMode::kOff;
  connected = Connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(NativeClientTest, ModelThatIsThereIsNotSent) {
  ASSERT_TRUE(Connect());
  model_ = std::string(700 * 1000, 'm');
  ASSERT_TRUE(Load());
  EXPECT_EQ(Count(NativeType::kModelPart), 0U);
}

TEST_F(NativeClientTest, BrokenUploadGoesOn) {
  ASSERT_TRUE(Connect());
  odd_ = [this](const Request& request) -> std::optional<std::string> {
    if (request.type() != NativeType::kModelPart || model_.empty()) return std::nullopt;
    return "";
  };
  script_->ends = true;
  const auto lost = Load();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), ErrorCode::kTargetLost);
  const std::size_t there = model_.size();
  EXPECT_GT(there, 0U);
  EXPECT_LT(there, 700U * 1000);
  odd_ = nullptr;
  requests_.clear();
  script_->readable = std::string(1, '\0');
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(Load());
  EXPECT_TRUE(model_ == std::string(700 * 1000, 'm'));
  const auto part = std::ranges::find(requests_, NativeType::kModelPart,
                                      [](const Request& one) { return one.type(); });
  ASSERT_NE(part, requests_.end());
  EXPECT_EQ(LoadLe<std::uint64_t>(reinterpret_cast<const std::byte*>(part->body.data()) + 32),
            there);
}

TEST_F(NativeClientTest, FolderTravelsAsAnArchive) {
  artifact_.path = root_ / "saved_model";
  ASSERT_TRUE(WriteFileAtomically(artifact_.path / "saved_model.pb", "graph"));
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(Load());
  EXPECT_TRUE(LooksLikeTar(std::as_bytes(std::span(model_))));
  ASSERT_TRUE(WriteFileAtomically(root_ / "archive", model_));
  ASSERT_TRUE(UnpackTar(root_ / "archive", root_ / "unpacked"));
  EXPECT_EQ(ReadFile(root_ / "unpacked" / "saved_model.pb").value(), "graph");
}

TEST_F(NativeClientTest, FailuresOfTheTargetLeaveTheConnection) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(Load());
  odd_ = [](const Request& request) -> std::optional<std::string> {
    return Bad(request, StatusCode::kEngineFailure, "operator 7 (Conv) \x1b[31mfailed\xff");
  };
  const auto failed = Infer();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kEngineFailure);
  EXPECT_EQ(failed.error().message(), "operator 7 (Conv) ?[31mfailed?");
  odd_ = [](const Request& request) -> std::optional<std::string> {
    return Bad(request, static_cast<StatusCode>(4711), "");
  };
  EXPECT_EQ(Infer().error().code(), ErrorCode::kInternal);
  odd_ = nullptr;
  EXPECT_TRUE(Infer());
}

TEST_F(NativeClientTest, OddAnswersEndTheConnection) {
  using Odd = std::function<std::string(const Request&)>;
  const auto changed = [](const Request& request, std::size_t at) {
    std::string answer = Good(request, Times() + std::string(8, 'o'));
    answer[at] ^= 1;
    return answer;
  };
  const std::map<std::string, Odd> cases{
      {"another id",
       [](const Request& request) {
         return NativeAnswer(request.type(), request.prefix.request_id + 1, Times() + "12345678");
       }},
      {"another type",
       [](const Request& request) {
         return NativeAnswer(NativeType::kEcho, request.prefix.request_id, Times() + "12345678");
       }},
      {"too short", [](const Request& request) { return Good(request, Times() + "1234567"); }},
      {"too long", [](const Request& request) { return Good(request, Times() + "123456789"); }},
      {"no times", [](const Request& request) { return Good(request, "12345678"); }},
      {"empty", [](const Request& request) { return Good(request, ""); }},
      {"times in disorder",
       [](const Request& request) {
         return Good(request, Number(5) + Number(4) + Number(6) + Number(7) + "12345678");
       }},
      {"negative times",
       [](const Request& request) { return Good(request, Times(-100) + "12345678"); }},
      {"changed body", [&](const Request& request) { return changed(request, 70); }},
      {"changed prefix", [&](const Request& request) { return changed(request, 30); }},
      {"changed crc", [&](const Request& request) { return changed(request, 12); }},
      {"a long failure",
       [](const Request& request) {
         return Bad(request, StatusCode::kInternal, std::string(100 * 1000, 'x'));
       }},
      {"in Kenning's mode",
       [](const Request& request) { return Answer(request.header.type, "1"); }},
      {"a part",
       [](const Request& request) {
         return testing::Message(request.header.type, FlowControl::kTransmission, kSuccess | kFirst,
                                 std::string(64, 'x'));
       }},
      {"lying size",
       [](const Request& request) {
         std::string answer = Good(request, Times() + std::string(8, 'o'));
         std::fill_n(answer.begin() + 8, 4, '\xff');
         return answer;
       }},
      {"both verdicts",
       [](const Request& request) {
         return testing::Message(request.header.type, FlowControl::kTransmission,
                                 kSuccess | kFail | kFirst | kLast, std::string(64, 'x'));
       }},
  };
  for (const auto& [what, odd] : cases) {
    SCOPED_TRACE(what);
    odd_ = nullptr;
    model_.clear();
    script_->readable = std::string(1, '\0');
    ASSERT_TRUE(Connect());
    ASSERT_TRUE(Load());
    odd_ = odd;
    const auto result = Infer();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData) << result.error().ToString();
    odd_ = nullptr;
    EXPECT_FALSE(Infer());
  }
}

TEST_F(NativeClientTest, OddJsonIsAnError) {
  const struct {
    NativeType type;
    std::string body;
  } cases[] = {
      {NativeType::kHello, "[]"},
      {NativeType::kHello, "{"},
      {NativeType::kHello, R"({"versions": [2]})"},
      {NativeType::kModelHave, Number(700 * 1000 + 1)},
      {NativeType::kModelHave, "1234"},
      {NativeType::kModelPart, Number(0)},
      {NativeType::kModelPart, Number(700 * 1000 + 1)},
      {NativeType::kModelLoad, "{\"io_spec\": 1, \"x\": "},
      {NativeType::kModelLoad, R"({"io_spec": {"input": 7}})"},
      {NativeType::kInferShapes, R"({"outputs": {}})"},
      {NativeType::kInferShapes, R"({"outputs": [1]})"},
      {NativeType::kInferShapes, R"({"outputs": [{"dtype": "float32", "shape": [-1]}]})"},
      {NativeType::kInferShapes, R"({"outputs": [{"dtype": "float32", "shape": [1e30]}]})"},
      {NativeType::kProfile, R"({"operators": 1})"},
      {NativeType::kOptimize, R"({"size": -3, "sha256": ""})"},
      {NativeType::kModelFetch, ""},
      {NativeType::kModelFetch, "x"},
      {NativeType::kModelFetch, "abcd"},
      {NativeType::kClock, Number(7) + Number(6)},
      {NativeType::kClock, Number(7)},
      {NativeType::kEcho, "other"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(TypeName(static_cast<MessageType>(one.type)) + ": " + one.body);
    odd_ = [&one](const Request& request) -> std::optional<std::string> {
      if (request.type() != one.type) return std::nullopt;
      return Good(request, one.body);
    };
    model_.clear();
    script_->readable = std::string(1, '\0');
    const auto all = [this]() -> Result<> {
      KENNING_RETURN_IF_ERROR(Connect());
      KENNING_RETURN_IF_ERROR(client_->MeasureClock(2));
      KENNING_RETURN_IF_ERROR(client_->Echo(5));
      KENNING_RETURN_IF_ERROR(Load());
      const Shape in{1, 2};
      KENNING_RETURN_IF_ERROR(client_->ResolveOutputs({&in, 1}));
      KENNING_RETURN_IF_ERROR(client_->Profile());
      KENNING_RETURN_IF_ERROR(client_->Optimize(artifact_, kSpec, "[]"));
      return {};
    };
    const auto done = all();
    ASSERT_FALSE(done);
    EXPECT_TRUE(done.error().code() == ErrorCode::kInvalidData ||
                done.error().code() == ErrorCode::kUnsupported)
        << done.error().ToString();
  }
}

TEST_F(NativeClientTest, OptimisesOnTheTarget) {
  ASSERT_TRUE(Connect());
  const auto optimised = client_->Optimize(artifact_, kSpec, R"([{"type": "TFLiteCompiler"}])");
  ASSERT_TRUE(optimised) << optimised.error().ToString();
  EXPECT_EQ(optimised->model_bytes, "abc");
  EXPECT_EQ(optimised->format, "tflite");
  EXPECT_THAT(optimised->io_spec_json, HasSubstr("input"));
  ASSERT_EQ(optimised->provenance.size(), 1U);
  EXPECT_EQ(optimised->provenance[0].block, "TFLiteCompiler");
  EXPECT_EQ(optimised->provenance[0].notes, std::vector<std::string>{"n"});
  EXPECT_EQ(Count(NativeType::kModelFetch), 3U);
  EXPECT_EQ(client_->Optimize(artifact_, kSpec, "{}").error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(NativeClientTest, TooLargeAResultIsNotFetched) {
  ASSERT_TRUE(Connect());
  odd_ = [](const Request& request) -> std::optional<std::string> {
    if (request.type() != NativeType::kOptimize) return std::nullopt;
    return Good(request, R"({"size": 99999999999, "sha256": ")" + Sha256Hex("abc") + R"("})");
  };
  const auto optimised = client_->Optimize(artifact_, kSpec, "[]");
  ASSERT_FALSE(optimised);
  EXPECT_EQ(optimised.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(Count(NativeType::kModelFetch), 0U);
}

TEST_F(NativeClientTest, ClockOffsetIsOfTheShortestTrip) {
  ASSERT_TRUE(Connect());
  const auto offset = client_->MeasureClock(20);
  ASSERT_TRUE(offset);
  EXPECT_NEAR(static_cast<double>(offset->offset_ns), 1e12,
              static_cast<double>(offset->uncertainty_ns) + 1e6);
  EXPECT_GE(offset->round_trip_ns, offset->uncertainty_ns);
}

TEST_F(NativeClientTest, Pipelining) {
  ASSERT_TRUE(Connect());
  EXPECT_EQ(ReceiveInfer().error().code(), ErrorCode::kFailedPrecondition);
  ASSERT_TRUE(Load());
  for (int i = 0; i < 64; ++i) {
    in_[0] = static_cast<float>(i);
    ASSERT_TRUE(SendInfer());
  }
  EXPECT_EQ(SendInfer().error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Infer().error().code(), ErrorCode::kFailedPrecondition);
  for (int i = 0; i < 64; ++i) {
    ASSERT_TRUE(ReceiveInfer());
    std::string bytes(reinterpret_cast<const char*>(out_.data()), 8);
    std::reverse(bytes.begin(), bytes.end());
    float first = 0;
    std::memcpy(&first, bytes.data(), 4);
    ASSERT_EQ(first, static_cast<float>(i));
  }
  EXPECT_EQ(ReceiveInfer().error().code(), ErrorCode::kFailedPrecondition);
  EXPECT_TRUE(Infer());
}

// Both sides could wait for the other to read: large answers are taken before more is sent.
TEST_F(NativeClientTest, LargeAnswersAreTakenWhileSending) {
  const std::string spec = R"({"input": [{"name": "x", "shape": [100000], "dtype": "uint8"}],)"
                           R"( "output": [{"name": "y", "shape": [100000], "dtype": "uint8"}]})";
  odd_ = [&spec, failing = 0](const Request& request) mutable -> std::optional<std::string> {
    if (request.type() == NativeType::kModelLoad)
      return Good(request, R"({"io_spec": )" + spec + "}");
    if (request.type() == NativeType::kInfer && ++failing == 2) {
      return Bad(request, StatusCode::kEngineFailure, "the second");
    }
    return std::nullopt;
  };
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(client_->LoadModel(artifact_, spec, {}));
  const Shape shape{100000};
  std::vector<std::byte> in(100000);
  const TensorView input{in.data(), in.size(), DType::kUint8, shape};
  for (int i = 0; i < 5; ++i) {
    in[0] = static_cast<std::byte>(i);
    ASSERT_TRUE(client_->SendInfer({&input, 1}));
    EXPECT_LE(script_->readable.size(), 100100U);
  }
  std::vector<std::byte> out(100000);
  const MutableTensorView output{out.data(), out.size(), DType::kUint8, shape};
  for (int i = 0; i < 5; ++i) {
    const auto result = client_->ReceiveInfer({&output, 1});
    if (i == 1) {
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().message(), "the second");
      continue;
    }
    ASSERT_TRUE(result);
    EXPECT_TRUE(result->times);
    EXPECT_EQ(out.back(), static_cast<std::byte>(i));
  }
}

TEST_F(NativeClientTest, CloseAtEveryByteOfAnAnswer) {
  std::string whole;
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(Load());
  odd_ = [&whole](const Request& request) {
    whole = Answer(MessageType::kLogs, "\3abc", 0) + Good(request, Times() + "12345678");
    return whole;
  };
  ASSERT_TRUE(Infer());
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    odd_ = nullptr;
    script_->ends = false;
    script_->readable = std::string(1, '\0');
    ASSERT_TRUE(Connect());
    ASSERT_TRUE(Load());
    script_->ends = true;
    odd_ = [cut](const Request& request) {
      return (Answer(MessageType::kLogs, "\3abc", 0) + Good(request, Times() + "12345678"))
          .substr(0, cut);
    };
    const auto result = Infer();
    ASSERT_FALSE(result) << cut;
    ASSERT_EQ(result.error().code(), ErrorCode::kTargetLost) << cut;
  }
}

TEST(CleanTextTest, KeepsTextAndDropsControls) {
  EXPECT_EQ(CleanText("größer\nals 1 €"), "größer\nals 1 €");
  EXPECT_EQ(CleanText("a\x1b[0m\r\x7f"), "a?[0m??");
  EXPECT_EQ(CleanText("\xc2\x9b"), "?");        // C1
  EXPECT_EQ(CleanText("\xe2\x80\xae"), "?");    // Right-to-left override
  EXPECT_EQ(CleanText("\xc0\xaf\xff"), "???");  // Overlong, never valid
  EXPECT_EQ(CleanText("\xed\xa0\x80"), "???");  // Surrogate
  EXPECT_EQ(CleanText("\xe2\x82"), "??");       // Cut
  EXPECT_EQ(CleanText("aaa€", 4), "aaa…");
}

}  // namespace
}  // namespace kenning::wire
