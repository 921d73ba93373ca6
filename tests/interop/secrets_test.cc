// SPDX-License-Identifier: Apache-2.0
// Who may use an agent.
#include <gmock/gmock.h>

#include <filesystem>

#include "agent_under_test.h"
#include "kenning/base/file.h"
#include "raw_peer.h"

namespace kenning::interop {
namespace {

using ::testing::HasSubstr;

class SecretsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasEngine("null")) GTEST_SKIP() << "the null engine is not built";
    ASSERT_TRUE(WriteFileAtomically(file_, std::string(kToken) + "\n"));
    std::filesystem::permissions(file_, std::filesystem::perms::owner_read);
  }
  static constexpr const char* kToken = "0123456789abcdef0123456789abcdef";
  std::string file_ = testing::TempDir() + "agent-token";
};

TEST_F(SecretsTest, OnlyWhoKnowsTheTokenIsServed) {
  AgentUnderTest agent({"--token-file", file_});
  ASSERT_TRUE(agent.listens()) << agent.errors();
  auto right = agent.Client(NativeMode::kOn, 10, kToken);
  ASSERT_TRUE(right) << right.error().ToString();
  EXPECT_TRUE(Load(**right, NullModel(), NullSpec()));
  right->reset();
  const auto wrong = agent.Client(NativeMode::kOn, 10, "0123456789abcdef0123456789abcdeX");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUnavailable) << wrong.error().ToString();
  EXPECT_THAT(wrong.error().ToString(), HasSubstr("token"));
  for (const std::string& request :
       {Request(MessageType::kModel, NullModel()), Request(NativeType::kEcho, "x"),
        Request(NativeType::kStatistics, "")}) {
    RawPeer peer(agent.ConnectWhenFree());
    ASSERT_TRUE(peer.Greeted());
    const auto answer = peer.Ask(request);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->header.has(wire::kFail));
  }
}

TEST_F(SecretsTest, ATokenThatOthersCanReadIsRefused) {
  std::filesystem::permissions(file_, std::filesystem::perms::others_read,
                               std::filesystem::perm_options::add);
  AgentUnderTest agent({"--token-file", file_});
  EXPECT_FALSE(agent.listens());
  EXPECT_NE(agent.Wait(20), 0);
  EXPECT_THAT(agent.errors(), HasSubstr("chmod"));
}

TEST_F(SecretsTest, ATokenOpensOtherAddresses) {
  AgentUnderTest agent({"--token-file", file_}, "0.0.0.0:0");
  EXPECT_TRUE(agent.listens()) << agent.errors();
  AgentUnderTest trusting({"--allow-unauthenticated"}, "0.0.0.0:0");
  EXPECT_TRUE(trusting.listens()) << trusting.errors();
}

}  // namespace
}  // namespace kenning::interop
