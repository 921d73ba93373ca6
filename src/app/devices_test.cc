// SPDX-License-Identifier: Apache-2.0
#include "app/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "transport/tcp.h"
#include "wire/target_server.h"
#include "wire/testing/memory_target.h"

namespace kenning {
void RegisterProtocols(Registry& registry);
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class AppDevicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("app-devices-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    ::setenv("XDG_CONFIG_HOME", root_.c_str(), 1);
    RegisterProtocols(registry_);
  }
  void TearDown() override {
    ::unsetenv("XDG_CONFIG_HOME");
    fs::remove_all(root_);
  }
  static Device Network(const std::string& name, std::int64_t port) {
    Device device;
    device.name = name;
    device.protocol = "NetworkProtocol";
    device.parameters = {{"host", std::string("127.0.0.1")}, {"port", port}};
    return device;
  }
  fs::path root_;
  Registry registry_;
  NullProgress progress_;
  CancelToken cancel_;
  AppContext context_{registry_, progress_, cancel_};
};

/// Serves one client.
class OneSession {
 public:
  OneSession() : listener_(ListenTcp("127.0.0.1", 0).value()) {
    thread_ = std::thread([this] {
      auto channel = listener_->Accept(Deadline::After(60));
      if (!channel) return;
      static_cast<void>(wire::TargetServer(**channel, backend_, store_, {}).Serve());
    });
  }
  ~OneSession() {
    listener_->Shutdown();
    thread_.join();
  }
  std::int64_t port() const {
    const std::string address = listener_->address();
    return std::stol(address.substr(address.rfind(':') + 1));
  }

 private:
  wire::testing::MemoryStore store_;
  wire::testing::MemoryBackend backend_{store_};
  std::unique_ptr<Listener> listener_;
  std::thread thread_;
};

TEST_F(AppDevicesTest, AddShowRemove) {
  Device board = Network("board", 7);
  board.note = "on the desk";
  ASSERT_TRUE(AddDevice(board, false, context_));
  const auto again = AddDevice(Network("board", 8), false, context_);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message(), HasSubstr("tcp://127.0.0.1:7"));
  ASSERT_TRUE(AddDevice(Network("board", 8), true, context_));
  EXPECT_EQ(AddressOf(FindDevice("board").value()), "tcp://127.0.0.1:8");
  EXPECT_THAT(DevicesTable(ReadDevices(DevicesFile()).value()), HasSubstr("never"));
  EXPECT_THAT(DescribeDevice(board), HasSubstr("on the desk"));
  ASSERT_TRUE(RemoveDevice("board"));
  EXPECT_FALSE(RemoveDevice("board"));
}

TEST_F(AppDevicesTest, ParametersAreChecked) {
  Device bad = Network("bad", 70000);
  EXPECT_FALSE(AddDevice(bad, false, context_));
  bad = Network("bad", 7);
  bad.parameters["hots"] = std::string("x");
  EXPECT_FALSE(AddDevice(bad, false, context_));
  bad = Network("bad", 7);
  bad.parameters["host"] = true;
  EXPECT_FALSE(AddDevice(bad, false, context_));
  bad = Network("bad", 7);
  bad.parameters["token_file"] = (root_ / "none").string();
  EXPECT_FALSE(AddDevice(bad, false, context_));
  bad = Network("a name", 7);
  EXPECT_FALSE(AddDevice(bad, false, context_));
  bad = Network("bad", 7);
  bad.protocol = "NoProtocol";
  EXPECT_FALSE(AddDevice(bad, false, context_));
  EXPECT_TRUE(ReadDevices(DevicesFile()).value().empty());
}

TEST_F(AppDevicesTest, ProbeAsksEach) {
  OneSession session;
  const Device there = Network("there", session.port());
  std::int64_t closed_port = 0;
  {
    const auto listener = ListenTcp("127.0.0.1", 0).value();
    const std::string address = listener->address();
    closed_port = std::stol(address.substr(address.rfind(':') + 1));
  }
  const Device gone = Network("gone", closed_port);
  ASSERT_TRUE(AddDevice(there, false, context_));
  ASSERT_TRUE(AddDevice(gone, false, context_));
  const auto probes = ProbeDevices({there, gone}, 30, context_);
  ASSERT_EQ(probes.size(), 2U);
  EXPECT_TRUE(probes[0].reachable) << probes[0].problem;
  EXPECT_TRUE(probes[0].native);
  ASSERT_TRUE(probes[0].seen);
  EXPECT_EQ(probes[0].seen->engines, std::vector<std::string>{"memory"});
  EXPECT_GT(probes[0].round_trip_ns, 0);
  EXPECT_FALSE(probes[1].reachable);
  EXPECT_FALSE(probes[1].problem.empty());
  ASSERT_TRUE(KeepSeen(probes));
  EXPECT_EQ(FindDevice("there")->seen, probes[0].seen);
  EXPECT_FALSE(FindDevice("gone")->seen);
  EXPECT_THAT(ProbesTable(probes), HasSubstr("not reachable"));
  EXPECT_THAT(ProbesToJson(probes), HasSubstr("\"memory\""));
}

TEST_F(AppDevicesTest, AddressesAsTheyAreWritten) {
  const auto parse = [](const char* text) { return ParseTargetAddress(text); };
  using Parameters = std::map<std::string, ParamValue>;
  EXPECT_EQ(parse("10.0.0.7:99")->parameters,
            (Parameters{{"host", std::string("10.0.0.7")}, {"port", std::int64_t{99}}}));
  EXPECT_EQ(parse("tcp://board")->parameters, (Parameters{{"host", std::string("board")}}));
  EXPECT_EQ(parse("tls://board:1")->parameters.at("tls"), ParamValue{std::string("on")});
  EXPECT_EQ(parse("[::1]:7")->parameters,
            (Parameters{{"host", std::string("::1")}, {"port", std::int64_t{7}}}));
  EXPECT_EQ(parse("/dev/ttyUSB0")->protocol, "UARTProtocol");
  for (const char* bad : {"", "a b", ":7", "host:", "host:0", "host:65536", "host:x", "::1", "[::1",
                          "[::1]7", "tls://", "tcp://a/b:1", "unknown-device"}) {
    EXPECT_FALSE(parse(bad)) << bad;
  }
  ASSERT_TRUE(AddDevice(Network("board", 7), false, context_));
  const auto known = parse("board");
  ASSERT_TRUE(known);
  const auto transport = MakeTransport(*known, context_);
  ASSERT_TRUE(transport) << transport.error().ToString();
  EXPECT_EQ((*transport)->name(), "tcp://127.0.0.1:7");
}

}  // namespace
}  // namespace kenning
