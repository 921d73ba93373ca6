// SPDX-License-Identifier: Apache-2.0
// The contract of Runtime and Session, checked for every engine that has a conformance.json.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "kenning/base/file.h"
#include "kenning/registry/registry.h"

namespace kenning {
namespace {

struct EngineCase {
  std::string engine;
  std::filesystem::path folder;
  nlohmann::json facts;
};

std::vector<EngineCase> AllCases() {
  std::vector<EngineCase> cases;
  const std::filesystem::path engines = std::filesystem::path(KENNING_SOURCE_DIR) / "engines";
  for (const auto& entry : std::filesystem::directory_iterator(engines)) {
    const auto facts = ReadFile(entry.path() / "conformance.json");
    if (!facts) continue;
    cases.push_back(
        {entry.path().filename().string(), entry.path(), nlohmann::json::parse(*facts)});
  }
  return cases;
}

class ConformanceTest : public testing::TestWithParam<EngineCase> {
 protected:
  void SetUp() override {
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    const std::string test = name.substr(0, name.find('/'));
    const nlohmann::json& exclusions = Facts().value("exclusions", nlohmann::json::object());
    if (exclusions.contains(test)) {
      GTEST_SKIP() << "excluded: " << exclusions[test].get<std::string>();
    }
    RegisterBuiltinBlocks(registry_);
    const auto info =
        registry_.Find(BlockCategory::kRuntime, Facts().at("runtime").get<std::string>());
    ASSERT_TRUE(info) << info.error().ToString();
    if ((*info)->probe && !(*info)->probe().available) GTEST_SKIP() << (*info)->probe().reason;
    std::map<std::string, ParamValue, std::less<>> defaults;
    for (const ParamSpec& param : (*info)->schema.params) {
      if (param.default_value) defaults[param.name] = *param.default_value;
    }
    BlockContext context;
    auto runtime = (*info)->make_runtime(Params(std::move(defaults)), context);
    ASSERT_TRUE(runtime) << runtime.error().ToString();
    runtime_ = *std::move(runtime);
  }

  const nlohmann::json& Facts() const { return GetParam().facts; }
  std::filesystem::path ModelPath() const {
    return GetParam().folder / Facts().at("model").get<std::string>();
  }
  std::unique_ptr<Session> LoadOrDie() {
    auto session = runtime_->Load(ModelPath(), Facts().at("format"));
    EXPECT_TRUE(session) << session.error().ToString();
    return session ? *std::move(session) : nullptr;
  }

  struct Io {
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;
    std::vector<TensorView> in;
    std::vector<MutableTensorView> out;
  };
  /// Tensors of batch 1 with the reference's inputs.
  Io MakeIo(Session& session) const {
    Io io;
    std::vector<Shape> shapes;
    for (std::size_t i = 0; i < session.spec().inputs.size(); ++i) {
      TensorSpec spec = session.spec().inputs[i];
      for (std::int64_t& dim : spec.shape) dim = dim == kAnyDim ? 1 : dim;
      Tensor tensor = Tensor::Create(spec.dtype, spec.shape).value();
      const auto values = Facts()["inputs"][i].get<std::vector<float>>();
      EXPECT_EQ(values.size(), tensor.as<float>().size());
      std::copy(values.begin(), values.end(), tensor.as<float>().begin());
      shapes.push_back(spec.shape);
      io.inputs.push_back(std::move(tensor));
    }
    const std::vector<TensorSpec> resolved = session.ResolveOutputs(shapes).value();
    for (const TensorSpec& spec : resolved) {
      io.outputs.push_back(Tensor::Create(spec.dtype, spec.shape).value());
    }
    for (const Tensor& tensor : io.inputs) io.in.push_back(tensor.view());
    for (Tensor& tensor : io.outputs) io.out.push_back(tensor.mutable_view());
    return io;
  }

  void ExpectReference(const Io& io) const {
    const double tolerance = Facts().value("tolerance", 0.0);
    for (std::size_t i = 0; i < io.outputs.size(); ++i) {
      const auto expected = Facts()["outputs"][i].get<std::vector<float>>();
      const auto got = io.outputs[i].as<float>();
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t k = 0; k < got.size(); ++k) EXPECT_NEAR(got[k], expected[k], tolerance);
    }
  }

  Registry registry_;
  std::unique_ptr<Runtime> runtime_;
};

TEST_P(ConformanceTest, NamesEngineAndVersion) {
  EXPECT_FALSE(runtime_->engine().name.empty());
  EXPECT_FALSE(runtime_->engine().version.empty());
}

TEST_P(ConformanceTest, OutputsAgreeWithTheReference) {
  const auto session = LoadOrDie();
  Io io = MakeIo(*session);
  for (int round = 0; round < 3; ++round) {
    for (Tensor& output : io.outputs)
      std::fill_n(output.data(), output.size_bytes(), std::byte{0xA5});
    const auto invoked = session->Invoke(io.in, io.out);
    ASSERT_TRUE(invoked) << invoked.error().ToString();
    ExpectReference(io);
  }
}

TEST_P(ConformanceTest, ReadsItsInputsAnew) {
  const auto session = LoadOrDie();
  Io io = MakeIo(*session);
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  const Tensor before = io.outputs[0].Clone();
  for (float& value : io.inputs[0].as<float>()) value = value * 1.5F + 1.0F;
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  EXPECT_NE(std::memcmp(before.data(), io.outputs[0].data(), before.size_bytes()), 0);
}

TEST_P(ConformanceTest, WrongTensorsAreInvalidArguments) {
  const auto session = LoadOrDie();
  Io io = MakeIo(*session);
  const Shape& shape = io.inputs[0].shape();
  Tensor other_type = Tensor::Create(DType::kInt64, shape).value();
  Shape longer = shape;
  longer.back() += 1;
  Tensor other_shape = Tensor::Create(io.inputs[0].dtype(), longer).value();
  for (const Tensor* wrong : {&other_type, &other_shape}) {
    std::vector<TensorView> in = io.in;
    in[0] = wrong->view();
    const auto invoked = session->Invoke(in, io.out);
    ASSERT_FALSE(invoked);
    EXPECT_EQ(invoked.error().code(), ErrorCode::kInvalidArgument);
  }
  std::vector<TensorView> lying = io.in;
  lying[0].size_bytes -= 1;
  EXPECT_FALSE(session->Invoke(lying, io.out));
  EXPECT_FALSE(session->Invoke({}, io.out));
  EXPECT_TRUE(session->Invoke(io.in, io.out));
}

TEST_P(ConformanceTest, CorruptModelsAreRefusedWithoutACrash) {
  const std::string good = ReadFile(ModelPath()).value();
  const std::filesystem::path bad =
      std::filesystem::path(testing::TempDir()) /
      ("conformance-" + std::to_string(getpid()) + "." + Facts().at("format").get<std::string>());
  const std::vector<std::string> broken = {"", good.substr(0, good.size() / 2),
                                           std::string(good.size(), '\xff')};
  for (const std::string& bytes : broken) {
    ASSERT_TRUE(WriteFileAtomically(bad, bytes));
    const auto session = runtime_->Load(bad, Facts().at("format"));
    EXPECT_FALSE(session);
  }
  std::filesystem::remove(bad);
  EXPECT_FALSE(runtime_->Load(bad, Facts().at("format")));
  EXPECT_FALSE(runtime_->Load(ModelPath(), "no-such-format"));
}

TEST_P(ConformanceTest, TwoSessionsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([this] {
      const auto session = LoadOrDie();
      Io io = MakeIo(*session);
      for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(session->Invoke(io.in, io.out));
        ExpectReference(io);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

std::int64_t ResidentPages() {
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  statm >> total >> resident;
  return resident;
}

TEST_P(ConformanceTest, MemoryReturnsAfterUnload) {
  const auto cycle = [this] {
    const auto session = LoadOrDie();
    Io io = MakeIo(*session);
    ASSERT_TRUE(session->Invoke(io.in, io.out));
  };
  for (int i = 0; i < 20; ++i) cycle();
  const std::int64_t before = ResidentPages();
  for (int i = 0; i < 200; ++i) cycle();
  // 200 leaked sessions of even 64 kB would be 3200 pages.
  EXPECT_LT(ResidentPages() - before, 2000);
}

INSTANTIATE_TEST_SUITE_P(Engines, ConformanceTest, testing::ValuesIn(AllCases()),
                         [](const auto& engine) { return engine.param.engine; });

}  // namespace
}  // namespace kenning
