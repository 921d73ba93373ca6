// SPDX-License-Identifier: Apache-2.0
// How an agent ends, and what it says when it cannot begin.
#include <gmock/gmock.h>

#include <csignal>
#include <thread>

#include "agent_under_test.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "raw_peer.h"

namespace kenning::interop {
namespace {

using ::testing::HasSubstr;

class ShutdownTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasEngine("null")) GTEST_SKIP() << "the null engine is not built";
  }
};

/// A peer whose request for `sleep_ms` of work was sent.
std::unique_ptr<RawPeer> Working(const AgentUnderTest& agent, const std::string& faults) {
  auto peer = std::make_unique<RawPeer>(agent.Connect());
  EXPECT_TRUE(peer->Greeted());
  EXPECT_TRUE(peer->Ask(Request(MessageType::kIoSpec, NullSpec())));
  EXPECT_TRUE(peer->Ask(Request(MessageType::kModel, NullModel(faults))));
  EXPECT_TRUE(peer->Ask(Request(MessageType::kData, std::string(4, 'a'))));
  EXPECT_TRUE(peer->Send(Request(MessageType::kProcess)));
  return peer;
}

TEST_F(ShutdownTest, TheRequestInWorkIsAnsweredFirst) {
  AgentUnderTest agent;
  auto peer = Working(agent, R"({"sleep_ms": 700})");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // So that it is in work.
  agent.Signal(SIGTERM);
  const auto answer = peer->Receive();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->header.has(wire::kSuccess));
  EXPECT_TRUE(peer->Ended(10));
  EXPECT_EQ(agent.Wait(10), 0);
}

TEST_F(ShutdownTest, WorkThatDoesNotEndIsCutOff) {
  AgentUnderTest agent;
  auto peer = Working(agent, R"({"hang_after": 0})");
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  agent.Signal(SIGTERM);
  const auto answer = peer->Receive();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->header.has(wire::kFail));
  EXPECT_THAT(answer->logs, HasSubstr("shutting down"));
  peer.reset();
  EXPECT_EQ(agent.Wait(10), 0);
}

TEST_F(ShutdownTest, TheSecondSignalEndsAtOnce) {
  AgentUnderTest agent;
  auto peer = Working(agent, R"({"hang_after": 0})");
  agent.Signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  const std::int64_t start_ns = MonotonicNowNs();
  agent.Signal(SIGINT);
  EXPECT_EQ(agent.Wait(4), 0);
  EXPECT_LT(MonotonicNowNs() - start_ns, 4'000'000'000);
}

TEST_F(ShutdownTest, AnIdleAgentEnds) {
  AgentUnderTest agent;
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(10), 0);
}

TEST_F(ShutdownTest, OnceServesOneSession) {
  {
    AgentUnderTest agent({"--once"});
    {
      auto client = agent.Client(NativeMode::kOn);
      ASSERT_TRUE(client);
    }
    EXPECT_EQ(agent.Wait(10), 0);
  }
  AgentUnderTest agent({"--once"});
  {
    auto client = agent.Client(NativeMode::kOn);
    ASSERT_TRUE(client);
    EXPECT_FALSE(Load(**client, NullModel(R"({"crash_on_load": true})"), NullSpec()));
  }
  EXPECT_EQ(agent.Wait(10), 1);
}

TEST_F(ShutdownTest, AKilledAgentTakesItsSessionsAlongAndLeavesNoFiles) {
  const std::string state = ::testing::TempDir() + "killed-agent-state";
  {
    AgentUnderTest agent({"--state", state});
    auto client = agent.Client(NativeMode::kOn);
    ASSERT_TRUE(client);
    ASSERT_TRUE(Load(**client, NullModel(), NullSpec()));
    agent.Signal(SIGKILL);
    EXPECT_EQ(agent.Wait(10), -2);
    // The session notices at once that the main process is gone.
    EXPECT_FALSE((*client)->Echo(10) && (*client)->Echo(10) && (*client)->Statistics());
  }
  AgentUnderTest agent({"--state", state});
  ASSERT_TRUE(agent.listens());
  EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(state) / "sessions"));
  std::filesystem::remove_all(state);
}

TEST_F(ShutdownTest, FaultsOfTheCommandLineHaveTheirExitCodes) {
  struct Case {
    std::vector<std::string> options;
    std::string listen;
    int code;
    std::string says;
  };
  const Case cases[] = {
      {{}, "0.0.0.0:0", 2, "--token-file"},
      {{}, "nonsense", 2, "HOST:PORT"},
      {{"--max-memory", "many"}, "127.0.0.1:0", 2, "--max-memory"},
      {{"--nonsense"}, "127.0.0.1:0", 2, "--help"},
      {{"--cfg", "/nowhere.json"}, "127.0.0.1:0", 1, "/nowhere.json"},
      {{"--state", "/proc/nowhere"}, "127.0.0.1:0", 1, "--state"},
  };
  for (const Case& one : cases) {
    AgentUnderTest agent(one.options, one.listen);
    EXPECT_FALSE(agent.listens()) << one.says;
    EXPECT_EQ(agent.Wait(20), one.code) << one.says;
    EXPECT_THAT(agent.errors(), HasSubstr(one.says));
  }
  AgentUnderTest agent;
  AgentUnderTest second({}, agent.address());
  EXPECT_EQ(second.Wait(20), 1);
  EXPECT_THAT(second.errors(), HasSubstr("another process listens there"));
}

TEST_F(ShutdownTest, AScenarioFixesTheRuntime) {
  const std::string path = testing::TempDir() + "server.json";
  ASSERT_TRUE(WriteFileAtomically(path, R"({"platform": {"type": "LocalPlatform"},
                "runtime": {"type": "NullRuntime", "parameters": {}},
                "protocol": {"type": "NetworkProtocol", "parameters": {"host": "127.0.0.1", "port": 0}}})"));
  AgentUnderTest agent({"--cfg", path}, "");
  ASSERT_TRUE(agent.listens()) << agent.errors();
  auto client = agent.Client(NativeMode::kOn);
  ASSERT_TRUE(client) << client.error().ToString();
  EXPECT_TRUE(Load(**client, NullModel(), NullSpec()));
  for (const std::string bad :
       {R"({"protocol": {"type": "NetworkProtocol", "parameters": {"prot": 1}}})",
        R"({"runtime": {"type": "NullRuntime"}, "dataset": {"type": "PetDataset"}})",
        R"({"runtime": {"type": "NoRuntime"}})", "[", "7"}) {
    ASSERT_TRUE(WriteFileAtomically(path, bad));
    AgentUnderTest refused({"--cfg", path}, "");
    EXPECT_FALSE(refused.listens());
    EXPECT_NE(refused.Wait(20), 0) << bad;
    EXPECT_THAT(refused.errors(), HasSubstr("server.json"));
  }
}

}  // namespace
}  // namespace kenning::interop
