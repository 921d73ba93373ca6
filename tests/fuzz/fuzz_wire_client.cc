// SPDX-License-Identifier: Apache-2.0
// A client of targets whose answers are the fuzzer's: every call ends with a result or an error,
// whatever comes back.
//
// The input: one byte of settings, one that says how many calls follow, the calls, and then what
// the target says. With the lowest bit of the settings these are its bytes as they are. Without it
// each request takes one byte that says how it is answered: well, with a failure, with the body
// that follows, or with other bytes; ids and checksums are right, so that what lies behind the
// checks is reached.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "kenning/base/check.h"
#include "kenning/base/file.h"
#include "wire/auth.h"
#include "wire/hex.h"
#include "wire/target_client.h"
#include "wire/testing/scripted_peer.h"

namespace {

using kenning::Deadline;
using kenning::DType;
using kenning::ModelArtifact;
using kenning::MutableTensorView;
using kenning::Result;
using kenning::Shape;
using kenning::TensorView;
using kenning::WireSettings;
using namespace kenning::wire;
using kenning::wire::testing::Answer;
using kenning::wire::testing::NativeAnswer;
using kenning::wire::testing::PeerScript;
using kenning::wire::testing::ScriptedPeer;

constexpr char kToken[] = "a shared secret";
constexpr char kSpec[] = R"({"input": [{"name": "x", "shape": [1, 2], "dtype": "float32"}],)"
                         R"( "output": [{"name": "y", "shape": [1, 2], "dtype": "float32"}]})";

/// The fuzzer's bytes, taken from the front.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : left_(reinterpret_cast<const char*>(data), size) {}
  std::uint8_t Byte() {
    if (left_.empty()) return 0;
    const auto byte = static_cast<std::uint8_t>(left_[0]);
    left_.remove_prefix(1);
    return byte;
  }
  std::string Bytes(std::size_t count) {
    const std::string bytes(left_.substr(0, count));
    left_.remove_prefix(bytes.size());
    return bytes;
  }
  std::string Rest() { return Bytes(left_.size()); }
  bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

std::string Number(std::uint64_t value, std::size_t bytes = 8) {
  std::string text(bytes, '\0');
  std::memcpy(text.data(), &value, bytes);
  return text;
}

/// A target that is right, as far as one answer goes.
class GoodTarget {
 public:
  std::string Body(const Header& header, const std::string& body) {
    switch (static_cast<NativeType>(header.type)) {
      case NativeType::kHello:
        if (const std::size_t at = body.find("nonce\":\""); at != std::string::npos) {
          client_nonce_ = body.substr(at + 8, 64);
        }
        return std::string(R"({"versions": [1], "authentication": ")") +
               (token ? "token" : "none") + R"(", "nonce": ")" + nonce_ + R"("})";
      case NativeType::kAuth:
        return testing::TextOf(ServerProof(kToken, client_nonce_, nonce_));
      case NativeType::kClock:
        return Number(1000) + Number(2000);
      case NativeType::kEcho:
        return body;
      case NativeType::kModelHave:
        return Number(0);
      case NativeType::kModelPart:
        return Number(body.size() > 40 ? body.size() - 40 : 0);
      case NativeType::kModelLoad:
        return std::string(R"({"io_spec": )") + kSpec + "}";
      case NativeType::kInfer:
        return Number(1) + Number(2) + Number(3) + Number(4) + std::string(8, 'o');
      case NativeType::kInferShapes:
        return R"({"outputs": [{"name": "y", "dtype": "float32", "shape": [1, 2]}]})";
      case NativeType::kOptimize:
        return R"({"size": 3, "sha256": ")" + kenning::Sha256Hex("abc") + R"("})";
      case NativeType::kModelFetch:
        return "abc";
      case NativeType::kProfile:
        return R"({"operators": [{"name": "a", "total_ns": 5}]})";
      case NativeType::kStatistics:
        return "{}";
    }
    if (header.type == MessageType::kOutput) return std::string(8, 'o');
    if (header.type == MessageType::kStats) return "{}";
    return "\5";
  }
  bool token = false;

 private:
  std::string nonce_ = kenning::Sha256Hex("nonce");
  std::string client_nonce_;
};

/// The answer to one request, as the input wants it.
std::string AnswerTo(const Header& header, const std::string& payload, Input& input,
                     GoodTarget& target, bool offer) {
  const bool native = static_cast<std::uint64_t>(header.type) >= kFirstNativeType;
  if (!native && !header.has(kLast)) return "";
  const std::string body = native ? payload.substr(std::min<std::size_t>(24, payload.size())) : "";
  const std::uint8_t how = input.Byte();
  const std::string given = how % 4 == 0 ? "" : input.Bytes(input.Byte());
  std::string logs;
  if ((how & 0x80U) != 0) logs = Answer(MessageType::kLogs, input.Bytes(how & 0x3FU), 0);
  if (how % 4 == 3) return logs + given;
  const std::string good = how % 4 == 0 ? target.Body(header, body) : given;
  if (!native) {
    const int verdict = how % 4 == 2 ? kFail : kSuccess;
    return logs + Answer(header.type, good, verdict | (offer ? kNativeOffer : 0));
  }
  std::uint32_t id = 0;
  if (payload.size() >= 8) std::memcpy(&id, payload.data() + 4, 4);
  const auto status = how % 4 == 2 ? static_cast<StatusCode>(1 + (how >> 3U)) : StatusCode::kOk;
  return logs + NativeAnswer(static_cast<NativeType>(header.type), id, good, status);
}

const ModelArtifact& Model() {
  static const ModelArtifact model = [] {
    ModelArtifact one;
    one.path =
        std::filesystem::temp_directory_path() / ("fuzz-wire-client-" + std::to_string(::getpid()));
    one.format = "tflite";
    KENNING_CHECK(kenning::WriteFileAtomically(one.path, std::string(300, 'm')).has_value());
    std::atexit([] { std::filesystem::remove(Model().path); });
    return one;
  }();
  return model;
}

template <typename T>
void Expect(const Result<T>& result) {
  KENNING_CHECK(result.has_value() || !result.error().message().empty());
}

void Call(TargetClient& client, std::uint8_t which) {
  const Shape shape{1, 2};
  std::array<float, 2> in{1, 2};
  std::array<float, 2> out{};
  const TensorView input{reinterpret_cast<const std::byte*>(in.data()), 8, DType::kFloat32, shape};
  const MutableTensorView output{reinterpret_cast<std::byte*>(out.data()), 8, DType::kFloat32,
                                 shape};
  switch (which % 15) {
    case 0:
      return Expect(client.Negotiate());
    case 1:
      return Expect(client.Info());
    case 2:
      return Expect(client.MeasureClock(2));
    case 3:
      return Expect(client.Echo(which));
    case 4:
      return Expect(client.LoadModel(Model(), kSpec, {"Runtime", "{}", true}));
    case 5:
      return Expect(client.LoadPresentModel(kSpec));
    case 6:
      return Expect(client.ResolveOutputs({&shape, 1}));
    case 7:
    case 8:
      return Expect(client.Infer({&input, 1}, {&output, 1}));
    case 9:
      return Expect(client.SendInfer({&input, 1}));
    case 10:
      return Expect(client.ReceiveInfer({&output, 1}));
    case 11:
      return Expect(client.Statistics());
    case 12:
      return Expect(client.Profile());
    case 13:
      return Expect(client.Optimize(Model(), kSpec, "[]"));
    default:
      return Expect(client.Disconnect());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const std::uint8_t how = input.Byte();
  const bool raw = (how & 1U) != 0;
  WireSettings settings;
  settings.timeout_s = 0.02;
  settings.native = static_cast<kenning::NativeMode>((how >> 1U) % 3);
  settings.dialect = (how & 8U) != 0 ? kenning::WireDialect::kUart : kenning::WireDialect::kNetwork;
  if (settings.dialect == kenning::WireDialect::kUart) settings.max_message_size = 136;
  settings.error_recovery = (how & 16U) != 0 && raw;
  GoodTarget target;
  target.token = (how & 32U) != 0;
  if (target.token) settings.token = kToken;
  const std::string calls = input.Bytes(input.Byte() % 32);

  const auto script = std::make_shared<PeerScript>();
  script->most_bytes_a_read = (how & 64U) != 0 ? 7 : SIZE_MAX;
  script->ends = (how & 128U) != 0;
  if (settings.dialect == kenning::WireDialect::kNetwork) script->readable.assign(1, '\0');
  if (raw) {
    script->readable += input.Rest();
  } else {
    script->answer = [&](const Header& header, const std::string& payload) {
      return AnswerTo(header, payload, input, target, settings.native != kenning::NativeMode::kOff);
    };
  }
  auto client = TargetClient::Connect(std::make_unique<ScriptedPeer>(script), settings);
  if (!client) {
    KENNING_CHECK(!client.error().message().empty());
    return 0;
  }
  for (const char call : calls) Call(**client, static_cast<std::uint8_t>(call));
  return 0;
}
