// SPDX-License-Identifier: Apache-2.0
// Clients that do what they should, and the recorded exchange of Kenning 0.8.2.
#include <gmock/gmock.h>

#include <cmath>
#include <cstring>

#include "agent_under_test.h"
#include "kenning/base/digest.h"
#include "kenning/base/file.h"
#include "raw_peer.h"

namespace kenning::interop {
namespace {

using ::testing::HasSubstr;

class SessionsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasEngine("null")) GTEST_SKIP() << "the null engine is not built";
  }
};

TEST_F(SessionsTest, ServesBothModesOneAfterAnother) {
  AgentUnderTest agent;
  ASSERT_TRUE(agent.listens());
  for (const NativeMode mode : {NativeMode::kOff, NativeMode::kAuto, NativeMode::kOn}) {
    auto client = agent.Client(mode);
    ASSERT_TRUE(client) << client.error().ToString();
    ASSERT_TRUE(Load(**client, NullModel(), NullSpec()));
    const auto output = InferOne(**client, 2.5F);
    ASSERT_TRUE(output) << output.error().ToString();
    EXPECT_EQ(*output, 2.5F);
    EXPECT_TRUE((*client)->Disconnect());
  }
}

TEST_F(SessionsTest, TellsWhatItIs) {
  AgentUnderTest agent;
  auto client = agent.Client(NativeMode::kOn);
  ASSERT_TRUE(client) << client.error().ToString();
  const auto info = (*client)->Info();
  ASSERT_TRUE(info) << info.error().ToString();
  EXPECT_THAT(info->json, HasSubstr("NullRuntime"));
  EXPECT_THAT(info->json, HasSubstr("rlimits"));
  EXPECT_THAT(info->json, ::testing::Not(HasSubstr(agent.state().string())));
}

TEST_F(SessionsTest, SecondClientIsToldThatTheTargetIsBusy) {
  AgentUnderTest agent;
  auto first = agent.Client(NativeMode::kOn);
  ASSERT_TRUE(first) << first.error().ToString();
  // Kenning's mode: LOGS with the reason, then FAIL to the request.
  RawPeer second(agent.Connect());
  ASSERT_TRUE(second.Greeted());
  const auto answer = second.Ask(Request(MessageType::kIoSpec, NullSpec()));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->header.type, MessageType::kIoSpec);
  EXPECT_TRUE(answer->header.has(wire::kFail));
  EXPECT_THAT(answer->logs, HasSubstr("busy"));
  // The native mode: a status.
  const auto third = agent.Client(NativeMode::kOn, 0);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(third.error().ToString(), HasSubstr("busy"));
  // The first is not disturbed.
  EXPECT_TRUE((*first)->Echo(1000));
}

TEST_F(SessionsTest, AModelThatIsThereIsNotSentAgain) {
  AgentUnderTest agent;
  const std::string model = NullModel("", 7);
  {
    auto client = agent.Client(NativeMode::kOn);
    ASSERT_TRUE(client);
    ASSERT_TRUE(Load(**client, model, NullSpec(7)));
  }
  RawPeer peer(agent.ConnectWhenFree());
  ASSERT_TRUE(peer.Greeted());
  const auto have = peer.Ask(
      Request(NativeType::kModelHave, R"({"sha256": ")" + Sha256Hex(model) + R"(", "size": )" +
                                          std::to_string(model.size()) + "}"));
  ASSERT_TRUE(have);
  std::uint64_t bytes = 0;
  ASSERT_EQ(have->body.size(), sizeof(bytes));
  std::memcpy(&bytes, have->body.data(), sizeof(bytes));
  EXPECT_EQ(bytes, model.size());
}

TEST_F(SessionsTest, AnUploadThatBrokeOffGoesOn) {
  AgentUnderTest agent;
  const std::string model = NullModel("", 3);
  const std::string have =
      Request(NativeType::kModelHave, R"({"sha256": ")" + Sha256Hex(model) + R"(", "size": )" +
                                          std::to_string(model.size()) + "}");
  const auto ask = [&](RawPeer& peer) {
    std::uint64_t bytes = 99;
    const auto answer = peer.Ask(have);
    if (answer && answer->body.size() == 8) std::memcpy(&bytes, answer->body.data(), 8);
    return bytes;
  };
  {
    RawPeer peer(agent.ConnectWhenFree());
    ASSERT_TRUE(peer.Greeted());
    ASSERT_EQ(ask(peer), 0U);
    Sha256 sum;
    sum.Add(model);
    const auto digest = sum.Finish();
    const std::string part =
        std::string(reinterpret_cast<const char*>(digest.data()), digest.size()) +
        std::string(8, '\0') + model.substr(0, 50);
    const auto sent = peer.Ask(Request(NativeType::kModelPart, part));
    ASSERT_TRUE(sent);
    ASSERT_TRUE(sent->header.has(wire::kSuccess)) << sent->body;
  }
  {
    auto client = agent.Client(NativeMode::kOn);
    ASSERT_TRUE(client);
  }
  RawPeer peer(agent.ConnectWhenFree());
  ASSERT_TRUE(peer.Greeted());
  EXPECT_EQ(ask(peer), 50U);
}

TEST_F(SessionsTest, RefusesAnIoSpecificationOfAnotherModel) {
  AgentUnderTest agent;
  for (const NativeMode mode : {NativeMode::kOff, NativeMode::kOn}) {
    auto client = agent.Client(mode);
    ASSERT_TRUE(client) << client.error().ToString();
    const auto loaded = Load(**client, NullModel(), NullSpec(5));
    ASSERT_FALSE(loaded);
    EXPECT_THAT(loaded.error().ToString(), HasSubstr("float32[1, 5]"));
    EXPECT_TRUE(Load(**client, NullModel(), NullSpec())) << "another try is welcome";
  }
}

/// Messages of a recorded stream, without LOGS.
std::vector<std::string> Split(const std::string& stream, std::size_t at) {
  std::vector<std::string> messages;
  while (at + wire::kHeaderBytes <= stream.size()) {
    const auto bytes = std::as_bytes(std::span(stream)).subspan(at);
    const wire::Header header = wire::DecodeHeader(bytes.first<wire::kHeaderBytes>());
    const std::size_t size = wire::kHeaderBytes + header.body_size();
    if (header.type != MessageType::kLogs) messages.push_back(stream.substr(at, size));
    at += size;
  }
  return messages;
}

TEST_F(SessionsTest, TheRecordedExchangeOfKenningReplays) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  if (!HasEngine("tflite")) GTEST_SKIP() << "the TFLite engine is not built";
  const std::filesystem::path folder = std::filesystem::path(corpus) / "wire/kenning-0.8.2";
  const std::vector<std::string> requests = Split(ReadFile(folder / "cap.c2s.bin").value(), 0);
  const std::vector<std::string> answers = Split(ReadFile(folder / "cap.s2c.bin").value(), 1);
  ASSERT_EQ(requests.size(), answers.size());
  AgentUnderTest agent;
  RawPeer peer(agent.ConnectWhenFree());
  ASSERT_TRUE(peer.Greeted());
  // The three before convert a Keras model on the target, which needs a toolchain.
  for (std::size_t i = 3; i < requests.size(); ++i) {
    const auto answer = peer.Ask(requests[i]);
    ASSERT_TRUE(answer) << i;
    const std::string got = Bytes(answer->header, answer->body);
    if (answer->header.type == MessageType::kStats) {
      EXPECT_THAT(answer->body, HasSubstr("session_utilization_cpus_percent"));
      continue;
    }
    EXPECT_EQ(got.substr(0, wire::kHeaderBytes), answers[i].substr(0, wire::kHeaderBytes)) << i;
    if (answer->header.type != MessageType::kOutput) {
      EXPECT_EQ(got, answers[i]) << i;
      continue;
    }
    float real[4] = {};
    float recorded[4] = {};
    ASSERT_EQ(answer->body.size(), sizeof(real));
    std::memcpy(real, got.data() + wire::kHeaderBytes, sizeof(real));
    std::memcpy(recorded, answers[i].data() + wire::kHeaderBytes, sizeof(recorded));
    for (int k = 0; k < 4; ++k) EXPECT_NEAR(real[k], recorded[k], 1e-5) << i;
  }
}

}  // namespace
}  // namespace kenning::interop
