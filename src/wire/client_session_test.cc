// SPDX-License-Identifier: Apache-2.0
// Client and server of this project with each other, over a real pair of sockets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>
#include <thread>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "transport/socket_channel.h"
#include "wire/target_client.h"
#include "wire/target_server.h"
#include "wire/testing/memory_target.h"

namespace kenning::wire {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing::MemoryBackend;
using testing::MemoryStore;

const char* const kSpec = R"({"input": [{"name": "in", "shape": [1, 4], "dtype": "float32"}],)"
                          R"( "output": [{"name": "out", "shape": [1, 2], "dtype": "float32"}]})";

class ClientSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("client-session-" + std::to_string(::getpid()));
    fs::create_directories(root_);
    artifact_.path = root_ / "model";
    artifact_.format = "text";
    ASSERT_TRUE(WriteFileAtomically(artifact_.path, "M" + std::string(700 * 1000, 'm')));
  }
  void TearDown() override {
    Leave();
    fs::remove_all(root_);
  }
  void Leave() {
    client_.reset();
    if (thread_.joinable()) thread_.join();
  }
  Result<> Connect() {
    Leave();
    auto [near, far] = MakeLoopbackPair().value();
    server_channel_ = std::move(far);
    thread_ = std::thread([this] {
      TargetServer server(*server_channel_, backend_, store_, options_);
      ended_ = server.Serve();
      server_channel_.reset();
    });
    ClientOptions options;
    options.on_log = [this](LogLevel, std::string_view line) { logs_.emplace_back(line); };
    KENNING_ASSIGN_OR_RETURN(client_, TargetClient::Connect(std::move(near), settings_, options));
    return {};
  }
  Result<TargetClient::InferResult> Infer() {
    const TensorView input{reinterpret_cast<const std::byte*>(in_.data()), 16, DType::kFloat32,
                           in_shape_};
    const MutableTensorView output{reinterpret_cast<std::byte*>(out_.data()), 8, DType::kFloat32,
                                   out_shape_};
    return client_->Infer({&input, 1}, {&output, 1});
  }

  MemoryStore store_;
  MemoryBackend backend_{store_};
  ServerOptions options_;
  WireSettings settings_;
  std::unique_ptr<Channel> server_channel_;
  std::thread thread_;
  Result<> ended_;
  std::unique_ptr<TargetClient> client_;
  std::vector<std::string> logs_;
  fs::path root_;
  ModelArtifact artifact_;
  std::array<float, 4> in_{1, 2, 3, 4};
  std::array<float, 2> out_{};
  Shape in_shape_{1, 4};
  Shape out_shape_{1, 2};
};

TEST_F(ClientSessionTest, EveryModeGivesTheSameResults) {
  for (const NativeMode client : {NativeMode::kOff, NativeMode::kAuto, NativeMode::kOn}) {
    for (const NativeMode server : {NativeMode::kOff, NativeMode::kAuto}) {
      if (client == NativeMode::kOn && server == NativeMode::kOff) continue;
      SCOPED_TRACE(static_cast<int>(client) * 10 + static_cast<int>(server));
      settings_.native = client;
      options_.settings.native = server;
      ASSERT_TRUE(Connect());
      const auto loaded = client_->LoadModel(artifact_, kSpec, {});
      ASSERT_TRUE(loaded) << loaded.error().ToString();
      const bool native = client != NativeMode::kOff && server != NativeMode::kOff;
      EXPECT_EQ(client_->native(), native);
      for (int i = 0; i < 10; ++i) {
        in_[0] = static_cast<float>(i);
        const auto result = Infer();
        ASSERT_TRUE(result) << result.error().ToString();
        EXPECT_EQ(out_[0], static_cast<float>(i + 9));
        EXPECT_EQ(result->times.has_value(), native);
      }
      EXPECT_TRUE(client_->Statistics());
      ASSERT_TRUE(client_->Disconnect());
      Leave();
      EXPECT_TRUE(ended_) << ended_.error().ToString();
    }
  }
}

TEST_F(ClientSessionTest, Uart) {
  settings_.dialect = options_.settings.dialect = WireDialect::kUart;
  settings_.error_recovery = options_.settings.error_recovery = true;
  settings_.max_message_size = options_.settings.max_message_size = 136;
  for (const NativeMode mode : {NativeMode::kOff, NativeMode::kAuto}) {
    settings_.native = mode;
    ASSERT_TRUE(Connect());
    EXPECT_EQ(client_->native(), mode == NativeMode::kAuto);
    const auto loaded = client_->LoadModel(artifact_, kSpec, {});
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    ASSERT_TRUE(Infer());
    EXPECT_EQ(out_[1], 24);
    EXPECT_TRUE(client_->Statistics());
    ASSERT_TRUE(client_->Disconnect());
  }
}

TEST_F(ClientSessionTest, SecondLoadSendsNothing) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  const std::string sha256 = Sha256OfFile(artifact_.path).value();
  EXPECT_TRUE(store_.Has(sha256));
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {"SomeRuntime", R"({"threads": 2})", true}));
  EXPECT_EQ(backend_.loads.back().sha256, sha256);
  EXPECT_EQ(backend_.loads.back().runtime_type, "SomeRuntime");
  EXPECT_TRUE(backend_.loads.back().profiling);
  EXPECT_EQ(ModelSpecFromJson(backend_.loads.back().io_spec, "sent").value(),
            ModelSpecFromJson(kSpec, "given").value());
  EXPECT_EQ(client_->engine().name, "memory");
  EXPECT_EQ(client_->Profile()->at(0).name, "op");
}

TEST_F(ClientSessionTest, ErrorsOfTheTargetKeepTheirKind) {
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(WriteFileAtomically(artifact_.path, "no model"));
  const auto bad = client_->LoadModel(artifact_, kSpec, {});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), ErrorCode::kInvalidModel);
  EXPECT_THAT(bad.error().message(), HasSubstr("this is no model"));
  ASSERT_TRUE(WriteFileAtomically(artifact_.path, "E"));
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  const auto failed = Infer();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kEngineFailure);
  EXPECT_THAT(failed.error().message(), HasSubstr("Conv_7"));
  ASSERT_TRUE(WriteFileAtomically(artifact_.path, "M"));
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  EXPECT_TRUE(Infer());
}

TEST_F(ClientSessionTest, FailuresInKenningsModeHaveTheirText) {
  settings_.native = NativeMode::kOff;
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(WriteFileAtomically(artifact_.path, "E"));
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  const auto failed = Infer();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), ErrorCode::kEngineFailure);
  EXPECT_THAT(failed.error().message(), HasSubstr("Conv_7"));
}

TEST_F(ClientSessionTest, Token) {
  settings_.token = options_.settings.token = "0123456789abcdef";
  ASSERT_TRUE(Connect());
  EXPECT_EQ(client_->Info()->agent_version, "0");
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  EXPECT_TRUE(Infer());

  settings_.token = "another one, wrong";
  auto refused = Connect();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnavailable) << refused.error().ToString();

  settings_.token.clear();
  settings_.native = NativeMode::kOn;
  refused = Connect();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("wants a token"));
  settings_.native = NativeMode::kAuto;
  ASSERT_TRUE(Connect());
  refused = client_->LoadModel(artifact_, kSpec, {});
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("token"));
}

TEST_F(ClientSessionTest, ClocksOfOneMachineAgree) {
  ASSERT_TRUE(Connect());
  const auto clock = client_->MeasureClock(50);
  ASSERT_TRUE(clock) << clock.error().ToString();
  EXPECT_LE(std::abs(clock->offset_ns), clock->uncertainty_ns);
  EXPECT_GT(clock->round_trip_ns, 0);
  EXPECT_GT(client_->Echo(4 << 20).value(), 0);
}

TEST_F(ClientSessionTest, DynamicBatches) {
  ASSERT_TRUE(WriteFileAtomically(artifact_.path, "D"));
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  const Shape in_shape{3, 4};
  const auto outputs = client_->ResolveOutputs({&in_shape, 1});
  ASSERT_TRUE(outputs) << outputs.error().ToString();
  ASSERT_EQ(outputs->at(0).shape, (Shape{3, 2}));
  std::array<float, 12> in{};
  std::iota(in.begin(), in.end(), 1.0F);
  std::array<float, 6> out{};
  const TensorView input{reinterpret_cast<const std::byte*>(in.data()), sizeof(in), DType::kFloat32,
                         in_shape};
  const MutableTensorView output{reinterpret_cast<std::byte*>(out.data()), sizeof(out),
                                 DType::kFloat32, outputs->at(0).shape};
  ASSERT_TRUE(client_->Infer({&input, 1}, {&output, 1}));
  EXPECT_EQ(out[0], 10);
  EXPECT_EQ(out[4], 42);
}

// Neither side may wait for the other to read, whatever the sizes are.
TEST_F(ClientSessionTest, PipelinesOfAnySize) {
  const std::pair<std::int64_t, std::int64_t> sizes[] = {
      {16, 16}, {1 << 20, 16}, {16, 1 << 20}, {3 << 20, 3 << 20}};
  for (const auto& [in_bytes, out_bytes] : sizes) {
    SCOPED_TRACE(in_bytes);
    ModelSpec spec;
    spec.inputs = {{.name = "in", .dtype = DType::kUint8, .shape = {in_bytes}}};
    spec.outputs = {{.name = "out", .dtype = DType::kUint8, .shape = {out_bytes}}};
    backend_.spec = spec;
    backend_.invoke = [](std::span<const TensorView> inputs,
                         std::span<const MutableTensorView> outputs) -> Result<> {
      std::memset(outputs[0].data, std::to_integer<int>(inputs[0].data[0]), outputs[0].size_bytes);
      return {};
    };
    ASSERT_TRUE(Connect());
    ASSERT_TRUE(client_->LoadModel(artifact_, ModelSpecToJson(spec), {}));
    std::vector<std::byte> in(static_cast<std::size_t>(in_bytes));
    std::vector<std::byte> out(static_cast<std::size_t>(out_bytes));
    const TensorView input{in.data(), in.size(), DType::kUint8, spec.inputs[0].shape};
    const MutableTensorView output{out.data(), out.size(), DType::kUint8, spec.outputs[0].shape};
    for (int i = 0; i < 20; ++i) {
      in[0] = static_cast<std::byte>(i);
      const auto sent = client_->SendInfer({&input, 1});
      ASSERT_TRUE(sent) << sent.error().ToString();
    }
    for (int i = 0; i < 20; ++i) {
      const auto result = client_->ReceiveInfer({&output, 1});
      ASSERT_TRUE(result) << result.error().ToString();
      ASSERT_EQ(out.front(), static_cast<std::byte>(i));
      ASSERT_EQ(out.back(), static_cast<std::byte>(i));
    }
  }
}

TEST_F(ClientSessionTest, OptimisedModelComesBack) {
  backend_.optimize = [this](const std::string& request) -> Result<std::string> {
    EXPECT_THAT(request, HasSubstr("TFLiteCompiler"));
    const std::string model = "M small";
    const std::string sha256 = store_.Put(std::as_bytes(std::span(model))).value();
    return R"({"sha256": ")" + sha256 +
           R"(", "size": 7, "format": "tflite", "io_spec": {}, "provenance": []})";
  };
  for (const NativeMode mode : {NativeMode::kOff, NativeMode::kAuto}) {
    settings_.native = mode;
    ASSERT_TRUE(Connect());
    const auto optimised =
        client_->Optimize(artifact_, kSpec, R"([{"type": "TFLiteCompiler", "parameters": {}}])");
    ASSERT_TRUE(optimised) << optimised.error().ToString();
    EXPECT_EQ(optimised->model_bytes, "M small");
  }
}

TEST_F(ClientSessionTest, PresentModel) {
  settings_.native = NativeMode::kOff;
  ASSERT_TRUE(Connect());
  ASSERT_TRUE(client_->LoadModel(artifact_, kSpec, {}));
  ASSERT_TRUE(Infer());
  const auto again = client_->LoadPresentModel(kSpec);
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_TRUE(Infer());
}

}  // namespace
}  // namespace kenning::wire
