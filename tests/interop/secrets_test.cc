// SPDX-License-Identifier: Apache-2.0
// Who may use an agent.
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

#include "agent_under_test.h"
#include "kenning/base/file.h"
#include "raw_peer.h"
#include "transport/testing/certificates.h"
#include "transport/tls_part.h"

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
  std::string file_ = ::testing::TempDir() + "agent-token";
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

TEST_F(SecretsTest, RootIsLeft) {
  if (::geteuid() != 0) GTEST_SKIP() << "this is not root";
  AgentUnderTest agent({"--user", "nobody"});
  if (!agent.listens()) {
    EXPECT_THAT(agent.errors(), HasSubstr("nobody cannot reach the engines"));
    GTEST_SKIP() << "the build lies where only root may look";
  }
  auto client = agent.Client(NativeMode::kOn);
  ASSERT_TRUE(client) << client.error().ToString();
  const auto info = (*client)->Info();
  ASSERT_TRUE(info);
  EXPECT_THAT(info->json, ::testing::Not(HasSubstr(R"("root")")));
  ASSERT_TRUE(Load(**client, NullModel(), NullSpec()));
  EXPECT_EQ(InferOne(**client, 3).value_or(0), 3);
}

class TlsAgentTest : public SecretsTest {
 protected:
  void SetUp() override {
    SecretsTest::SetUp();
    const auto made = kenning::testing::MakeCertificates(folder_);
    ASSERT_TRUE(made) << made.error().ToString();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::vector<std::string> Options(bool authority) const {
    std::vector<std::string> options = {"--tls-certificate", File("board.pem"), "--tls-key",
                                        File("board-key.pem")};
    if (authority) options.insert(options.end(), {"--tls-ca", File("ca.pem")});
    return options;
  }
  std::string File(const std::string& name) const { return (folder_ / name).string(); }
  Result<std::unique_ptr<wire::TargetClient>> Client(const AgentUnderTest& agent,
                                                     TlsSettings tls) const {
    tls.ca = File("ca.pem");
    tls.server_name = "board.local";
    KENNING_ASSIGN_OR_RETURN(auto channel, TlsConnect(agent.Connect(), tls, Deadline::After(30)));
    WireSettings settings;
    settings.native = NativeMode::kOn;
    settings.timeout_s = 60;
    return wire::TargetClient::Connect(std::move(channel), settings);
  }
  std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / ("interop-tls-" + std::to_string(::getpid()));
};

TEST_F(TlsAgentTest, OnlyWhoHasACertificateIsServed) {
  AgentUnderTest agent(Options(true), "0.0.0.0:0");
  ASSERT_TRUE(agent.listens()) << agent.errors();
  const TlsSettings known = {.certificate = File("workstation.pem"),
                             .key = File("workstation-key.pem")};
  {
    auto client = Client(agent, known);
    ASSERT_TRUE(client) << client.error().ToString();
    ASSERT_TRUE(Load(**client, NullModel("", 100'000), NullSpec(100'000)));
    const std::vector<float> input(100'000, 1.5F);
    std::vector<float> output(input.size());
    const Shape shape = {1, 100'000};
    const TensorView in{reinterpret_cast<const std::byte*>(input.data()), 400'000, DType::kFloat32,
                        shape};
    const MutableTensorView out{reinterpret_cast<std::byte*>(output.data()), 400'000,
                                DType::kFloat32, shape};
    for (int i = 0; i < 20; ++i) ASSERT_TRUE((*client)->Infer({&in, 1}, {&out, 1}));
    EXPECT_EQ(output, input);
    // A second client is told so through TLS, too.
    const auto second = Client(agent, known);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().ToString(), HasSubstr("busy"));
  }
  EXPECT_FALSE(Client(agent, {})) << "no certificate";
  EXPECT_FALSE(Client(agent, {.certificate = File("other/workstation.pem"),
                              .key = File("other/workstation-key.pem")}))
      << "another authority's";
  // Those took no session, and silent ones take none.
  auto silent = agent.Connect();
  auto client = Client(agent, known);
  const Deadline patience = Deadline::After(30);
  while (!client && !patience.expired()) client = Client(agent, known);
  ASSERT_TRUE(client) << client.error().ToString();
  EXPECT_TRUE(Load(**client, NullModel(), NullSpec()));
  // The words of a session that died come through TLS.
  ASSERT_TRUE(Load(**client, NullModel(R"({"crash_after": 0})"), NullSpec()));
  EXPECT_THAT(InferOne(**client, 1).error().ToString(), HasSubstr("SIGSEGV"));
}

TEST_F(TlsAgentTest, AnotherAddressNeedsMoreThanEncryption) {
  AgentUnderTest agent(Options(false), "0.0.0.0:0");
  EXPECT_FALSE(agent.listens());
  EXPECT_EQ(agent.Wait(20), 2);
  AgentUnderTest missing(
      {"--tls-certificate", File("nowhere.pem"), "--tls-key", File("board-key.pem")});
  EXPECT_FALSE(missing.listens());
  EXPECT_THAT(missing.errors(), HasSubstr("nowhere.pem"));
}

}  // namespace
}  // namespace kenning::interop
