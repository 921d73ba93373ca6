// SPDX-License-Identifier: Apache-2.0
// Clients that send what they should not, or leave when they should not.
#include <gmock/gmock.h>
#include <sys/mount.h>

#include <chrono>
#include <random>
#include <thread>

#include "agent_under_test.h"
#include "raw_peer.h"
#include "transport/tcp.h"

namespace kenning::interop {
namespace {

using ::testing::HasSubstr;

class AttacksTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!HasEngine("null")) GTEST_SKIP() << "the null engine is not built";
  }
  static void ExpectAlive(const AgentUnderTest& agent) {
    auto client = agent.Client(NativeMode::kAuto, 60);
    ASSERT_TRUE(client) << client.error().ToString();
    ASSERT_TRUE(Load(**client, NullModel(), NullSpec()));
    EXPECT_EQ(InferOne(**client, 3).value_or(0), 3);
  }
  static std::string WholeExchange() {
    return Request(MessageType::kIoSpec, NullSpec()) + Request(MessageType::kModel, NullModel()) +
           Request(MessageType::kData, std::string(4, 'a')) + Request(MessageType::kProcess) +
           Request(MessageType::kOutput) + Request(MessageType::kStats);
  }
};

TEST_F(AttacksTest, RequestsBeforeTheirTimeFail) {
  AgentUnderTest agent;
  RawPeer peer(agent.Connect());
  ASSERT_TRUE(peer.Greeted());
  for (const std::string& request :
       {Request(MessageType::kData, std::string(4, 'a')), Request(MessageType::kProcess),
        Request(MessageType::kOutput), Request(MessageType::kOptimizeModel),
        Request(MessageType::kModel, ""), Request(MessageType::kIoSpec, "no JSON"),
        Request(MessageType::kModel, std::string(1000, 'z')), Request(MessageType::kRuntime, "x"),
        Request(static_cast<MessageType>(99), "x")}) {
    const auto answer = peer.Ask(request);
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->header.has(wire::kFail)) << wire::ToString(answer->header);
  }
  // The same connection still serves.
  ASSERT_TRUE(peer.Ask(Request(MessageType::kIoSpec, NullSpec())));
  const auto loaded = peer.Ask(Request(MessageType::kModel, NullModel()));
  ASSERT_TRUE(loaded);
  EXPECT_TRUE(loaded->header.has(wire::kSuccess)) << loaded->logs;
}

TEST_F(AttacksTest, APayloadOfFourGigabytesIsRefusedBeforeItComes) {
  AgentUnderTest agent;
  for (const MessageType type : {MessageType::kModel, MessageType::kData, MessageType::kIoSpec}) {
    RawPeer peer(agent.ConnectWhenFree());
    ASSERT_TRUE(peer.Greeted());
    const auto answer = peer.Ask(Bytes({.type = type,
                                        .flags = wire::kHasPayload | wire::kFirst | wire::kLast,
                                        .payload_size = 0xFFFFFFFF}));
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->header.has(wire::kFail));
  }
  ExpectAlive(agent);
}

TEST_F(AttacksTest, AClientMayLeaveAtEveryByte) {
  AgentUnderTest agent;
  const std::string exchange = WholeExchange();
  for (std::size_t size = 0; size < exchange.size(); ++size) {
    RawPeer peer(agent.Connect());
    peer.Send(exchange.substr(0, size));
  }
  ExpectAlive(agent);
  EXPECT_THAT(agent.errors(), ::testing::Not(HasSubstr("crashed")));
}

TEST_F(AttacksTest, SlowAndSilentClientsAreLeft) {
  AgentUnderTest agent({"--message-timeout", "0.3", "--idle-timeout", "0.6"});
  {
    RawPeer slow(agent.Connect());
    ASSERT_TRUE(slow.Greeted());
    ASSERT_TRUE(slow.Send(Request(MessageType::kModel, NullModel()).substr(0, 5)));
    EXPECT_TRUE(slow.Ended(30)) << "in the middle of a header";
  }
  {
    RawPeer slow(agent.ConnectWhenFree());
    ASSERT_TRUE(slow.Greeted());
    ASSERT_TRUE(slow.Send(Request(MessageType::kModel, NullModel()).substr(0, 40)));
    EXPECT_TRUE(slow.Ended(30)) << "in the middle of a payload";
  }
  {
    RawPeer silent(agent.ConnectWhenFree());
    ASSERT_TRUE(silent.Greeted());
    ASSERT_TRUE(silent.Ask(Request(MessageType::kStatus)));
    EXPECT_TRUE(silent.Ended(30)) << "between messages";
  }
  ExpectAlive(agent);
}

TEST_F(AttacksTest, Garbage) {
  AgentUnderTest agent;
  std::mt19937 random(20261128);
  for (int round = 0; round < 30; ++round) {
    RawPeer peer(agent.ConnectWhenFree());
    ASSERT_TRUE(peer.Greeted());
    std::string bytes(1 + random() % 100'000, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    // Half of them begin like something that could be.
    if (round % 2 == 0) bytes = Request(MessageType::kIoSpec, NullSpec()) + bytes;
    peer.Send(bytes);
  }
  ExpectAlive(agent);
  EXPECT_THAT(agent.errors(), ::testing::Not(HasSubstr("crashed")));
}

TEST_F(AttacksTest, ManySecondClientsAtOnce) {
  AgentUnderTest agent;
  auto first = agent.Client(NativeMode::kOn);
  ASSERT_TRUE(first) << first.error().ToString();
  std::vector<std::unique_ptr<RawPeer>> others;
  for (int i = 0; i < 60; ++i) others.push_back(std::make_unique<RawPeer>(agent.Connect()));
  EXPECT_LE(agent.Children(), 1U + 16U);
  others.clear();
  EXPECT_TRUE((*first)->Echo(100));
}

TEST_F(AttacksTest, AFullDiskIsSaid) {
  const std::string disk = ::testing::TempDir() + "small-disk";
  std::filesystem::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "a small file system cannot be mounted here";
  }
  {
    AgentUnderTest agent({"--state", disk});
    RawPeer peer(agent.Connect());
    EXPECT_TRUE(peer.Greeted());
    const auto answer = peer.Ask(Request(MessageType::kModel, std::string(1'000'000, 'x')));
    EXPECT_TRUE(answer);
    if (answer) {
      EXPECT_TRUE(answer->header.has(wire::kFail));
      EXPECT_THAT(answer->logs, HasSubstr("no room for 1.0 MB on the target"));
    }
    EXPECT_TRUE(peer.Ask(Request(MessageType::kStatus))) << "the session goes on";
  }
  ::umount(disk.c_str());
}

TEST_F(AttacksTest, TenThousandConnectionsLeaveNothing) {
  AgentUnderTest agent;
  const std::size_t idle = agent.OpenDescriptors();
  ExpectAlive(agent);
  const auto settled = [&](std::size_t descriptors) {
    return agent.Children() == 0 && agent.OpenDescriptors() <= descriptors &&
           std::filesystem::is_empty(agent.state() / "store/sessions");
  };
  const auto settles = [&](std::size_t descriptors) {
    // Some come late: where the queue was full, the system repeats its half of the handshake.
    const Deadline deadline = Deadline::After(60);
    while (!deadline.expired()) {
      if (settled(descriptors)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  };
  ASSERT_TRUE(settles(idle)) << agent.OpenDescriptors();
  const std::uint64_t memory = agent.ResidentBytes();
  for (int i = 0; i < 10'000; ++i) {
    auto channel = ConnectTcp("127.0.0.1", agent.port(), Deadline::After(30));
    ASSERT_TRUE(channel) << i << ": " << channel.error().ToString();
  }
  ExpectAlive(agent);
  EXPECT_TRUE(settles(idle)) << agent.OpenDescriptors() << " descriptors, " << agent.Children()
                             << " processes";
  EXPECT_LE(agent.ResidentBytes(), memory + (std::uint64_t{1} << 20));
}

}  // namespace
}  // namespace kenning::interop
