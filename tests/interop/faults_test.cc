// SPDX-License-Identifier: Apache-2.0
// Models that crash, hang, eat memory or try what they may not.
#include <gmock/gmock.h>

#include "agent_under_test.h"
#include "kenning/base/clock.h"
#include "raw_peer.h"

namespace kenning::interop {
namespace {

using ::testing::HasSubstr;

class FaultsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasEngine("null")) GTEST_SKIP() << "the null engine is not built";
  }
  /// The agent serves a good model afterwards.
  static void ExpectAlive(const AgentUnderTest& agent) {
    auto client = agent.Client(NativeMode::kOn, 30);
    ASSERT_TRUE(client) << client.error().ToString();
    ASSERT_TRUE(Load(**client, NullModel(), NullSpec()));
    EXPECT_EQ(InferOne(**client, 3).value_or(0), 3);
  }
  /// What a client is told whose model has these faults; in either mode.
  static Error ErrorOf(const AgentUnderTest& agent, NativeMode mode, const std::string& faults) {
    auto client = agent.Client(mode, 30);
    if (!client) return client.error();
    const auto loaded = Load(**client, NullModel(faults), NullSpec());
    if (!loaded) return loaded.error();
    const auto output = InferOne(**client, 1);
    if (!output) return output.error();
    return {ErrorCode::kInternal, "nothing happened"};
  }
};

TEST_F(FaultsTest, ACrashIsTold) {
  AgentUnderTest agent;
  for (const NativeMode mode : {NativeMode::kOn, NativeMode::kOff}) {
    const Error error = ErrorOf(agent, mode, R"({"crash_after": 0})");
    EXPECT_THAT(error.ToString(), HasSubstr("SIGSEGV in "));
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    // Else the write is the sanitizer's.
    EXPECT_THAT(error.ToString(), HasSubstr("kenning_engine_null.so"));
#endif
    EXPECT_THAT(error.ToString(), HasSubstr("NullRuntime"));
    ExpectAlive(agent);
  }
}

TEST_F(FaultsTest, ACrashWhileLoadingIsTold) {
  AgentUnderTest agent;
  for (const NativeMode mode : {NativeMode::kOn, NativeMode::kOff}) {
    EXPECT_THAT(ErrorOf(agent, mode, R"({"crash_on_load": true})").ToString(),
                HasSubstr("SIGSEGV"));
    ExpectAlive(agent);
  }
}

TEST_F(FaultsTest, AModelThatHangsIsStopped) {
  AgentUnderTest agent({"--invoke-timeout", "0.5", "--load-timeout", "0.7"});
  for (const NativeMode mode : {NativeMode::kOn, NativeMode::kOff}) {
    EXPECT_THAT(ErrorOf(agent, mode, R"({"hang_after": 0})").ToString(),
                HasSubstr("time limit of 0.5 s"));
    EXPECT_THAT(ErrorOf(agent, mode, R"({"hang_on_load": true})").ToString(),
                HasSubstr("time limit of 0.7 s"));
    ExpectAlive(agent);
  }
}

TEST_F(FaultsTest, AModelThatEatsMemoryIsStopped) {
  AgentUnderTest agent({"--max-memory", "200M"});
  for (const NativeMode mode : {NativeMode::kOn, NativeMode::kOff}) {
    const Error error = ErrorOf(agent, mode, R"({"allocate_bytes": 8000000000})");
    // Either limit may be first: that of the process, or that of who watches it.
    EXPECT_THAT(error.ToString(),
                ::testing::AnyOf(HasSubstr("memory limit"), HasSubstr("no more memory")));
    ExpectAlive(agent);
  }
}

TEST_F(FaultsTest, ForbiddenCallsFailOrEndTheSession) {
  AgentUnderTest agent;
  {
    auto client = agent.Client(NativeMode::kOn);
    ASSERT_TRUE(client);
    const auto info = (*client)->Info();
    ASSERT_TRUE(info);
    if (info->json.find("\"seccomp\"") == std::string::npos) {
      GTEST_SKIP() << "the kernel has no seccomp filters";
    }
  }
  EXPECT_THAT(ErrorOf(agent, NativeMode::kOn, R"({"call": "exec"})").ToString(),
              HasSubstr("SIGSYS"));
  for (const char* call : {"socket", "fork", "kill_parent"}) {
    const Error error =
        ErrorOf(agent, NativeMode::kOn, R"({"call": ")" + std::string(call) + "\"}");
    EXPECT_THAT(error.ToString(), HasSubstr("Operation not permitted")) << call;
  }
  ExpectAlive(agent);
}

TEST_F(FaultsTest, NothingIsWrittenOutsideOfTheSession) {
  AgentUnderTest agent;
  {
    auto client = agent.Client(NativeMode::kOn);
    ASSERT_TRUE(client);
    const auto info = (*client)->Info();
    ASSERT_TRUE(info);
    if (info->json.find("landlock") == std::string::npos) {
      GTEST_SKIP() << "the kernel has no Landlock";
    }
  }
  const std::filesystem::path beside = agent.state() / "written.txt";
  EXPECT_THAT(
      ErrorOf(agent, NativeMode::kOn, R"({"call": "write )" + beside.string() + "\"}").ToString(),
      HasSubstr("Permission denied"));
  EXPECT_FALSE(std::filesystem::exists(beside));
}

TEST_F(FaultsTest, AClientsOwnDeadlineEndsTheWork) {
  AgentUnderTest agent;
  RawPeer peer(agent.Connect());
  ASSERT_TRUE(peer.Greeted());
  // Kenning's mode to load, the native mode to run: they may mix.
  ASSERT_TRUE(peer.Ask(Request(MessageType::kIoSpec, NullSpec())));
  const auto loaded = peer.Ask(Request(MessageType::kModel, NullModel(R"({"hang_after": 0})")));
  ASSERT_TRUE(loaded);
  ASSERT_TRUE(loaded->header.has(wire::kSuccess)) << loaded->logs;
  const std::string input(4, '\0');
  const ConstBytes piece = std::as_bytes(std::span(input));
  const wire::NativePrefix prefix{.request_id = 7, .deadline_or_status = 300, .sample_count = 1};
  const wire::NativeHead head =
      wire::MakeNativeHead(NativeType::kInfer, wire::FlowControl::kRequest, 0, prefix, {&piece, 1});
  const auto answer = peer.Ask(
      std::string(reinterpret_cast<const char*>(head.bytes.data()), head.bytes.size()) + input);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->prefix.request_id, 7U);
  EXPECT_EQ(answer->prefix.deadline_or_status,
            static_cast<std::uint32_t>(wire::StatusCode::kDeadlineExceeded));
  ExpectAlive(agent);
}

}  // namespace
}  // namespace kenning::interop
