// SPDX-License-Identifier: Apache-2.0
// Both sides of the protocol with each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "kenning/base/file.h"
#include "wire/target_client.h"
#include "wire/testing/memory_channel.h"
#include "wire/testing/memory_target.h"

namespace kenning::wire {
namespace {

using testing::BytesOf;
using ::testing::HasSubstr;
using testing::MakeMemoryPair;
using testing::MemoryBackend;
using testing::MemoryStore;

constexpr const char* kSpec =
    R"({"input": [{"name": "in", "shape": [1, 4], "dtype": "float32"}],
        "output": [{"name": "out", "shape": [1, 2], "dtype": "float32"}]})";

struct Way {
  const char* name;
  WireDialect dialect;
  NativeMode client;
  NativeMode server;
  bool token;
  bool native;  // what comes of it
};

class ClientServerTest : public ::testing::TestWithParam<Way> {
 protected:
  ClientServerTest()
      : folder_(std::filesystem::path(::testing::TempDir()) /
                ("kenning_client_server_" + std::to_string(::getpid()))) {
    settings_.dialect = GetParam().dialect;
    if (GetParam().token) settings_.token = "secret";
    if (GetParam().dialect == WireDialect::kUart) {
      settings_.error_recovery = true;
      settings_.max_message_size = 136;
    }
    std::filesystem::create_directories(folder_);
    artifact_.path = folder_ / (std::string("model_") + GetParam().name);
    artifact_.format = "test";
    EXPECT_TRUE(WriteFileAtomically(artifact_.path, "M and some more bytes of the model"));
  }
  ~ClientServerTest() override {
    Leave();
    std::filesystem::remove_all(folder_);
  }

  TargetClient& Connect() {
    auto [host, target] = MakeMemoryPair();
    target_ = std::move(target);
    ServerOptions options;
    options.settings = settings_;
    options.settings.native = GetParam().server;
    server_ = std::make_unique<TargetServer>(*target_, backend_, store_, options);
    serving_ = std::thread([this] {
      ended_ = server_->Serve();
      target_->Shutdown();
    });
    WireSettings settings = settings_;
    settings.native = GetParam().client;
    ClientOptions with;
    with.on_log = [this](LogLevel, std::string_view text) { log_ += std::string(text) + "\n"; };
    auto client = TargetClient::Connect(std::move(host), settings, with);
    EXPECT_TRUE(client) << client.error().ToString();
    client_ = *std::move(client);
    return *client_;
  }
  void Leave() {
    if (client_ != nullptr) {
      const auto left = client_->Disconnect();
      EXPECT_TRUE(left) << left.error().ToString();
    }
    client_.reset();
    if (serving_.joinable()) serving_.join();
    EXPECT_TRUE(ended_) << ended_.error().ToString();
  }

  std::filesystem::path folder_;
  WireSettings settings_;
  ModelArtifact artifact_;
  MemoryStore store_;
  MemoryBackend backend_{store_};
  std::unique_ptr<Channel> target_;
  std::unique_ptr<TargetServer> server_;
  std::thread serving_;
  std::unique_ptr<TargetClient> client_;
  Result<> ended_;
  std::string log_;
};

TEST_P(ClientServerTest, AWholeRun) {
  backend_.statistics = R"({"allocation_stats": {"peak": 5}})";
  TargetClient& client = Connect();
  for (int sessions = 0; sessions < 2; ++sessions) {
    const auto loaded = client.LoadModel(artifact_, kSpec, {});
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    EXPECT_EQ(client.native(), GetParam().native);
    EXPECT_EQ(client.engine().name, GetParam().native ? "memory" : "");
    const Shape in_shape = {1, 4};
    const Shape out_shape = {1, 2};
    for (int i = 0; i < 20; ++i) {
      const std::array<float, 4> in = {1, 2, 3, static_cast<float>(i)};
      std::array<float, 2> out = {};
      const auto in_bytes = std::as_bytes(std::span(in));
      const auto out_bytes = std::as_writable_bytes(std::span(out));
      const TensorView input{in_bytes.data(), in_bytes.size(), DType::kFloat32, in_shape};
      const MutableTensorView output{out_bytes.data(), out_bytes.size(), DType::kFloat32,
                                     out_shape};
      const auto result = client.Infer({&input, 1}, {&output, 1});
      ASSERT_TRUE(result) << result.error().ToString();
      EXPECT_EQ(out[0], static_cast<float>(6 + i));
      EXPECT_EQ(out[1], static_cast<float>(6 * i));
      ASSERT_EQ(result->times.has_value(), GetParam().native);
      if (result->times) {
        EXPECT_LE(result->times->received_ns, result->times->invoke_start_ns);
        EXPECT_LE(result->times->invoke_end_ns, result->times->sent_ns);
      }
    }
  }
  const auto statistics = client.Statistics();
  ASSERT_TRUE(statistics) << statistics.error().ToString();
  EXPECT_THAT(*statistics, HasSubstr(GetParam().native ? "native" : "peak"));
  if (!GetParam().native) return;
  EXPECT_EQ(client.Profile().value().at(0).name, "op");
  EXPECT_EQ(client.Info().value().agent_version, "0");
  EXPECT_GE(client.Echo(1000).value(), 0);
  EXPECT_TRUE(client.MeasureClock(3));
}

TEST_P(ClientServerTest, FailuresAreToldAndTheSessionGoesOn) {
  TargetClient& client = Connect();
  EXPECT_TRUE(WriteFileAtomically(artifact_.path, "garbage"));
  const auto garbage = client.LoadModel(artifact_, kSpec, {});
  ASSERT_FALSE(garbage);
  EXPECT_THAT(garbage.error().ToString(), HasSubstr("no model"));
  EXPECT_TRUE(WriteFileAtomically(artifact_.path, "E as engine failure"));
  ASSERT_TRUE(client.LoadModel(artifact_, kSpec, {}));
  std::array<std::byte, 16> in = {};
  std::array<std::byte, 8> out = {};
  const Shape in_shape = {1, 4};
  const Shape out_shape = {1, 2};
  const TensorView input{in.data(), in.size(), DType::kFloat32, in_shape};
  const MutableTensorView output{out.data(), out.size(), DType::kFloat32, out_shape};
  const auto failed = client.Infer({&input, 1}, {&output, 1});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().ToString(), HasSubstr("Conv_7"));
  EXPECT_TRUE(WriteFileAtomically(artifact_.path, "M"));
  EXPECT_TRUE(client.LoadModel(artifact_, kSpec, {}));
  EXPECT_TRUE(client.Infer({&input, 1}, {&output, 1}));
}

TEST_P(ClientServerTest, OptimisingOnTheTarget) {
  std::string asked;
  backend_.optimize = [&](const std::string& json) -> Result<std::string> {
    asked = json;
    const std::string smaller = "the smaller model";
    const std::string sha256 = store_.Put(BytesOf(smaller)).value();
    return nlohmann::json({{"sha256", sha256}, {"size", smaller.size()}, {"format", "tflite"}})
        .dump();
  };
  TargetClient& client = Connect();
  const auto optimised = client.Optimize(artifact_, kSpec, R"([{"type": "A", "parameters": {}}])");
  ASSERT_TRUE(optimised) << optimised.error().ToString();
  EXPECT_EQ(optimised->model_bytes, "the smaller model");
  EXPECT_THAT(asked, HasSubstr(R"("format":"test")"));
}

INSTANTIATE_TEST_SUITE_P(
    Ways, ClientServerTest,
    ::testing::Values(
        Way{"network", WireDialect::kNetwork, NativeMode::kAuto, NativeMode::kAuto, false, true},
        Way{"client_off", WireDialect::kNetwork, NativeMode::kOff, NativeMode::kAuto, false, false},
        Way{"server_off", WireDialect::kNetwork, NativeMode::kAuto, NativeMode::kOff, false, false},
        Way{"both_on", WireDialect::kNetwork, NativeMode::kOn, NativeMode::kOn, false, true},
        Way{"auto_to_on", WireDialect::kNetwork, NativeMode::kAuto, NativeMode::kOn, false, true},
        Way{"token", WireDialect::kNetwork, NativeMode::kAuto, NativeMode::kAuto, true, true},
        Way{"uart", WireDialect::kUart, NativeMode::kAuto, NativeMode::kAuto, false, true},
        Way{"uart_token", WireDialect::kUart, NativeMode::kAuto, NativeMode::kAuto, true, true},
        Way{"uart_off", WireDialect::kUart, NativeMode::kOff, NativeMode::kOff, false, false}),
    [](const auto& way) { return std::string(way.param.name); });

}  // namespace
}  // namespace kenning::wire
