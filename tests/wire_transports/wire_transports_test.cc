// SPDX-License-Identifier: Apache-2.0
// Client and server of the protocol over what carries it: TCP, TLS, serial lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <thread>

#include "kenning/base/file.h"
#include "transport/socket_channel.h"
#include "transport/tcp.h"
#include "transport/testing/certificates.h"
#include "transport/testing/pty_pair.h"
#include "transport/tls_server.h"
#include "transport/uart.h"
#include "wire/target_client.h"
#include "wire/target_server.h"
#include "wire/testing/memory_target.h"

namespace kenning::wire {
namespace {

using kenning::testing::Direction;
using kenning::testing::PtyPair;
using wire::testing::MemoryBackend;
using wire::testing::MemoryStore;

constexpr const char* kSpec =
    R"({"input": [{"name": "in", "shape": [1, 4], "dtype": "float32"}],
        "output": [{"name": "out", "shape": [1, 2], "dtype": "float32"}]})";

Deadline Soon() { return Deadline::After(60); }

/// A target that serves one client after the other, each with a session of its own.
class Target {
 public:
  Target(std::unique_ptr<Listener> listener, const WireSettings& settings)
      : listener_(std::move(listener)), settings_(settings), thread_([this] { Serve(); }) {}
  ~Target() {
    {
      // A session on a serial line waits for the next client without a limit.
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (current_ != nullptr) current_->Shutdown();
    }
    listener_->Shutdown();
    thread_.join();
  }
  std::string address() const { return listener_->address(); }

 private:
  void Serve() {
    while (!stop_) {
      auto accepted = listener_->Accept(Deadline::Never());
      if (!accepted) continue;
      if (!SetCurrent(accepted->get())) return;
      ServerOptions options;
      options.settings = settings_;
      options.limits.message_timeout_s = 3;
      TargetServer server(**accepted, backend_, store_, options);
      static_cast<void>(server.Serve());
      SetCurrent(nullptr);
    }
  }
  bool SetCurrent(Channel* channel) {
    const std::lock_guard lock(mutex_);
    current_ = channel;
    return !stop_;
  }
  std::unique_ptr<Listener> listener_;
  WireSettings settings_;
  MemoryStore store_;
  MemoryBackend backend_{store_};
  std::mutex mutex_;
  Channel* current_ = nullptr;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class WireTransportsTest : public ::testing::TestWithParam<NativeMode> {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("wire-transports-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(WriteFileAtomically(folder_ / "model", "M and some more bytes of the model"));
    const auto made = kenning::testing::MakeCertificates(folder_ / "tls");
    ASSERT_TRUE(made) << made.error().ToString();
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static WireSettings Network() {
    WireSettings settings;
    settings.native = GetParam();
    return settings;
  }
  static WireSettings Serial() {
    WireSettings settings;
    settings.native = GetParam();
    settings.dialect = WireDialect::kUart;
    settings.error_recovery = true;
    settings.max_message_size = 136;
    return settings;
  }
  static std::uint16_t PortOf(const std::string& address) {
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  }
  static Result<> Load(TargetClient& client) {
    ModelArtifact artifact;
    artifact.path = folder_ / "model";
    artifact.format = "test";
    return client.LoadModel(artifact, kSpec, {});
  }
  /// One sample whose outputs must be right where there are any.
  static Result<> Infer(TargetClient& client, float last) {
    const std::array<float, 4> in = {1, 2, 3, last};
    std::array<float, 2> out = {};
    const Shape in_shape = {1, 4};
    const Shape out_shape = {1, 2};
    const auto in_bytes = std::as_bytes(std::span(in));
    const auto out_bytes = std::as_writable_bytes(std::span(out));
    const TensorView input{in_bytes.data(), in_bytes.size(), DType::kFloat32, in_shape};
    const MutableTensorView output{out_bytes.data(), out_bytes.size(), DType::kFloat32, out_shape};
    const auto result = client.Infer({&input, 1}, {&output, 1});
    if (!result) return Fail(result.error());
    EXPECT_EQ(out[0], 6 + last);
    EXPECT_EQ(out[1], 6 * last);
    return {};
  }
  static void WholeRun(std::unique_ptr<Channel> channel, const WireSettings& settings) {
    auto client = TargetClient::Connect(std::move(channel), settings);
    ASSERT_TRUE(client) << client.error().ToString();
    const auto loaded = Load(**client);
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    EXPECT_EQ((*client)->native(), GetParam() != NativeMode::kOff);
    for (int i = 0; i < 5; ++i) {
      const auto inferred = Infer(**client, static_cast<float>(i));
      ASSERT_TRUE(inferred) << inferred.error().ToString();
    }
    EXPECT_TRUE((*client)->Statistics());
    const auto left = (*client)->Disconnect();
    EXPECT_TRUE(left) << left.error().ToString();
  }
  static std::filesystem::path folder_;
};
std::filesystem::path WireTransportsTest::folder_;

TEST_P(WireTransportsTest, Tcp) {
  auto listener = ListenTcp("", 0);
  ASSERT_TRUE(listener);
  const Target target(std::move(*listener), Network());
  for (int sessions = 0; sessions < 3; ++sessions) {
    auto channel = ConnectTcp("", PortOf(target.address()), Soon());
    ASSERT_TRUE(channel) << channel.error().ToString();
    ASSERT_NO_FATAL_FAILURE(WholeRun(std::move(*channel), Network()));
  }
}

TEST_P(WireTransportsTest, Tls) {
  const std::filesystem::path tls = folder_ / "tls";
  auto listener = ListenTcp("", 0);
  ASSERT_TRUE(listener);
  const TlsSettings server{
      .ca = tls / "ca.pem", .certificate = tls / "board.pem", .key = tls / "board-key.pem"};
  const TlsSettings client{.ca = tls / "ca.pem",
                           .certificate = tls / "workstation.pem",
                           .key = tls / "workstation-key.pem",
                           .server_name = "board.local"};
  const Target target(std::make_unique<TlsListener>(std::move(*listener), server), Network());
  for (int sessions = 0; sessions < 3; ++sessions) {
    auto channel = ConnectTcp("", PortOf(target.address()), Soon());
    ASSERT_TRUE(channel) << channel.error().ToString();
    auto secure = TlsConnect(std::move(*channel), client, Soon());
    ASSERT_TRUE(secure) << secure.error().ToString();
    ASSERT_NO_FATAL_FAILURE(WholeRun(std::move(*secure), Network()));
  }
  // A stranger, and one that speaks no TLS, come between: the target serves on.
  auto channel = ConnectTcp("", PortOf(target.address()), Soon());
  ASSERT_TRUE(channel);
  const TlsSettings stranger{.ca = tls / "ca.pem",
                             .certificate = tls / "other/workstation.pem",
                             .key = tls / "other/workstation-key.pem",
                             .server_name = "board.local"};
  auto secure = TlsConnect(std::move(*channel), stranger, Soon());
  ASSERT_TRUE(secure) << secure.error().ToString();
  const auto refused = TargetClient::Connect(std::move(*secure), Network());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().ToString(), ::testing::HasSubstr("does not trust our certificate"));
  channel = ConnectTcp("", PortOf(target.address()), Soon());
  ASSERT_TRUE(channel);
  ASSERT_TRUE((*channel)->WriteAll({}, Soon()));
  channel->reset();
  channel = ConnectTcp("", PortOf(target.address()), Soon());
  ASSERT_TRUE(channel);
  secure = TlsConnect(std::move(*channel), client, Soon());
  ASSERT_TRUE(secure) << secure.error().ToString();
  WholeRun(std::move(*secure), Network());
}

TEST_P(WireTransportsTest, SerialLines) {
  if (!UartIsBuilt()) GTEST_SKIP() << "built without serial lines";
  for (const int baud_rate : {115'200, 1'000'000}) {
    const auto cable = PtyPair::Make(baud_rate);
    ASSERT_TRUE(cable) << cable.error().ToString();
    auto listener = ListenUart({.port = (*cable)->far_path(), .baud_rate = baud_rate});
    ASSERT_TRUE(listener) << listener.error().ToString();
    const Target target(std::move(*listener), Serial());
    for (int sessions = 0; sessions < 2; ++sessions) {
      auto channel = OpenUart({.port = (*cable)->near_path(), .baud_rate = baud_rate});
      ASSERT_TRUE(channel) << channel.error().ToString();
      ASSERT_NO_FATAL_FAILURE(WholeRun(std::move(*channel), Serial()));
    }
  }
}

TEST_P(WireTransportsTest, ACutCableEndsBothSides) {
  if (!UartIsBuilt()) GTEST_SKIP() << "built without serial lines";
  const auto cable = PtyPair::Make(1'000'000);
  ASSERT_TRUE(cable);
  auto listener = ListenUart({.port = (*cable)->far_path(), .baud_rate = 1'000'000});
  ASSERT_TRUE(listener);
  const Target target(std::move(*listener), Serial());
  auto channel = OpenUart({.port = (*cable)->near_path(), .baud_rate = 1'000'000});
  ASSERT_TRUE(channel);
  auto client = TargetClient::Connect(std::move(*channel), Serial());
  ASSERT_TRUE(client) << client.error().ToString();
  ASSERT_TRUE(Load(**client));
  ASSERT_TRUE(Infer(**client, 1));
  (*cable)->Cut();
  const auto lost = Infer(**client, 2);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code(), ErrorCode::kTargetLost);
}

// Whatever happens to one byte on the line, outputs are right or there is an error, in time; and
// the next client is served.
TEST_P(WireTransportsTest, DisturbedBytesNeverGiveWrongOutputs) {
  if (!UartIsBuilt()) GTEST_SKIP() << "built without serial lines";
  constexpr int kBaudRate = 1'000'000;
  const auto cable = PtyPair::Make(kBaudRate);
  ASSERT_TRUE(cable);
  auto listener = ListenUart({.port = (*cable)->far_path(), .baud_rate = kBaudRate});
  ASSERT_TRUE(listener);
  const Target target(std::move(*listener), Serial());
  WireSettings settings = Serial();
  settings.timeout_s = 4;
  int failures = 0;
  int trial = 0;
  for (const Direction direction : {Direction::kNearToFar, Direction::kFarToNear}) {
    for (const bool drop : {false, true}) {
      for (const std::uint64_t place : {0, 20, 41}) {
        // A byte that is missing costs the time limit.
        if (drop && place != 41) continue;
        SCOPED_TRACE(::testing::Message() << "direction " << static_cast<int>(direction)
                                          << ", drop " << drop << ", place " << place);
        auto channel = OpenUart({.port = (*cable)->near_path(), .baud_rate = kBaudRate});
        ASSERT_TRUE(channel) << channel.error().ToString();
        auto client = TargetClient::Connect(std::move(*channel), settings);
        ASSERT_TRUE(client) << client.error().ToString();
        const auto loaded = Load(**client);
        ASSERT_TRUE(loaded) << loaded.error().ToString();
        ASSERT_TRUE(Infer(**client, 1));
        const std::uint64_t hit = (*cable)->forwarded(direction) + place;
        (*cable)->SetDisturb([&](Direction way, std::uint64_t at, std::vector<std::byte>& bytes) {
          if (way != direction || hit < at || hit >= at + bytes.size()) return;
          const auto victim = bytes.begin() + static_cast<std::ptrdiff_t>(hit - at);
          if (drop) {
            bytes.erase(victim);
          } else {
            *victim ^= static_cast<std::byte>(1U << (trial % 8));
          }
        });
        // The first may be hit, or only the second; after an error the connection is over.
        for (int i = 0; i < 3; ++i) {
          if (!Infer(**client, static_cast<float>(10 + i))) ++failures;
        }
        (*cable)->SetDisturb({});
        client->reset();
        ++trial;
      }
    }
  }
  EXPECT_GT(failures, 0);
}

std::string ModeName(const ::testing::TestParamInfo<NativeMode>& mode) {
  if (mode.param == NativeMode::kAuto) return "auto";
  return mode.param == NativeMode::kOn ? "on" : "off";
}

INSTANTIATE_TEST_SUITE_P(Modes, WireTransportsTest,
                         ::testing::Values(NativeMode::kOff, NativeMode::kAuto, NativeMode::kOn),
                         ModeName);

}  // namespace
}  // namespace kenning::wire
