// SPDX-License-Identifier: Apache-2.0
// An agent at a serial line: a pair of pseudo-terminals that keeps the line's speed.
#include "transport/uart.h"

#include <gmock/gmock.h>

#include <csignal>

#include "agent_under_test.h"
#include "transport/testing/pty_pair.h"

namespace kenning::interop {
namespace {

using ::testing::HasSubstr;

class UartAgentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasEngine("null")) GTEST_SKIP() << "the null engine is not built";
    if (!UartIsBuilt()) GTEST_SKIP() << "this build has no serial lines";
    auto pair = kenning::testing::PtyPair::Make(921'600);
    ASSERT_TRUE(pair) << pair.error().ToString();
    cable_ = *std::move(pair);
  }
  std::vector<std::string> Options() const {
    return {"--uart", cable_->far_path(), "--baudrate", "921600"};
  }
  Result<std::unique_ptr<wire::TargetClient>> Client(NativeMode native) const {
    KENNING_ASSIGN_OR_RETURN(auto channel,
                             OpenUart({.port = cable_->near_path(), .baud_rate = 921'600}));
    WireSettings settings;
    settings.dialect = WireDialect::kUart;
    settings.error_recovery = true;
    settings.max_message_size = 136;
    settings.native = native;
    settings.timeout_s = 30;
    return wire::TargetClient::Connect(std::move(channel), settings);
  }
  std::unique_ptr<kenning::testing::PtyPair> cable_;
};

TEST_F(UartAgentTest, SessionsOneAfterAnother) {
  AgentUnderTest agent(Options(), "");
  ASSERT_TRUE(agent.listens()) << agent.errors();
  for (const NativeMode mode : {NativeMode::kOff, NativeMode::kAuto, NativeMode::kOff}) {
    auto client = Client(mode);
    ASSERT_TRUE(client) << client.error().ToString();
    const auto loaded = Load(**client, NullModel(), NullSpec());
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    const auto output = InferOne(**client, 4);
    ASSERT_TRUE(output) << output.error().ToString();
    EXPECT_EQ(*output, 4);
    EXPECT_TRUE((*client)->Statistics());
    EXPECT_TRUE((*client)->Disconnect());
  }
  agent.Signal(SIGTERM);
  EXPECT_EQ(agent.Wait(10), 0);
}

TEST_F(UartAgentTest, ACrashIsTold) {
  AgentUnderTest agent(Options(), "");
  ASSERT_TRUE(agent.listens()) << agent.errors();
  {
    auto client = Client(NativeMode::kOff);
    ASSERT_TRUE(client) << client.error().ToString();
    ASSERT_TRUE(Load(**client, NullModel(R"({"crash_after": 0})"), NullSpec()));
    const auto output = InferOne(**client, 4);
    ASSERT_FALSE(output);
    EXPECT_THAT(output.error().ToString(), HasSubstr("SIGSEGV"));
  }
  auto client = Client(NativeMode::kOff);
  ASSERT_TRUE(client) << client.error().ToString();
  EXPECT_TRUE(Load(**client, NullModel(), NullSpec()));
}

}  // namespace
}  // namespace kenning::interop
