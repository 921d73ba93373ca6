// SPDX-License-Identifier: Apache-2.0
// An agent for another processor, under emulation, serves this machine: same models, same inputs,
// same predictions as here. KENNING_TEST_AGENT is the command that starts it.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"
#include "kenning/registry/registry.h"
#include "transport/tcp.h"
#include "wire/target_client.h"

namespace kenning {

void RegisterNullEngine(Registry& registry);
void RegisterOnnxRuntimeEngine(Registry& registry);
void RegisterTfliteEngine(Registry& registry);

namespace {

constexpr int kSamples = 12;
constexpr double kPatience_s = 120;

const Registry& Engines() {
  static const Registry registry = [] {
    Registry made;
    RegisterNullEngine(made);
    RegisterOnnxRuntimeEngine(made);
    RegisterTfliteEngine(made);
    return made;
  }();
  return registry;
}

/// Serves one session, and ends with it.
class EmulatedAgent {
 public:
  explicit EmulatedAgent(const char* command) {
    std::string name = testing::TempDir() + "emulated_agent-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    const std::string line = "exec timeout 300 " + std::string(command) +
                             " --listen 127.0.0.1:0 --once --allow-root --ready-fd 1 --state '" +
                             folder_ + "' 2>'" + folder_ + "/log'";
    output_ = ::popen(line.c_str(), "r");
    char address[64] = {};
    if (output_ == nullptr || std::fgets(address, sizeof(address), output_) == nullptr) return;
    const std::string_view text(address);
    const std::size_t colon = text.rfind(':');
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port_);
  }
  ~EmulatedAgent() {
    if (output_ != nullptr) Wait();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::uint16_t port() const { return port_; }
  /// Waits until it has ended. \return its exit status as of wait.
  int Wait() { return ::pclose(std::exchange(output_, nullptr)); }
  std::string Log() const {
    std::ifstream file(folder_ + "/log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  std::string folder_;
  std::FILE* output_ = nullptr;
  std::uint16_t port_ = 0;
};

std::vector<Tensor> MakeTensors(const std::vector<TensorSpec>& specs) {
  std::vector<Tensor> tensors;
  for (const TensorSpec& spec : specs) {
    Shape shape = spec.shape;
    for (auto& dim : shape) dim = std::max<std::int64_t>(dim, 1);
    auto tensor = Tensor::Create(spec.dtype, shape);
    EXPECT_TRUE(tensor);
    if (tensor) tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

void Fill(Tensor& tensor, std::mt19937& generator) {
  if (tensor.dtype() == DType::kFloat32) {
    std::normal_distribution<float> normal;
    for (float& value : tensor.as<float>()) value = normal(generator);
    return;
  }
  for (std::byte& value : std::span(tensor.data(), tensor.size_bytes())) {
    value = static_cast<std::byte>(generator());
  }
}

std::vector<double> Values(const Tensor& tensor) {
  std::vector<double> values;
  if (tensor.dtype() == DType::kFloat32) {
    for (const float value : tensor.as<float>()) values.push_back(value);
  } else if (tensor.dtype() == DType::kInt8) {
    for (const auto value : tensor.as<std::int8_t>()) values.push_back(value);
  } else if (tensor.dtype() == DType::kUint8) {
    for (const auto value : tensor.as<std::uint8_t>()) values.push_back(value);
  }
  return values;
}

/// Equal but for the last digits that processors disagree on; the largest is the same one.
void ExpectAlike(const Tensor& here, const Tensor& there) {
  const std::vector<double> a = Values(here);
  const std::vector<double> b = Values(there);
  ASSERT_EQ(a.size(), b.size());
  ASSERT_FALSE(a.empty());
  // A step of a quantised output, or a thousandth of a float.
  const double tolerance = here.dtype() == DType::kFloat32 ? 1e-3 : 1;
  double largest = 0;
  for (const double value : a) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_NEAR(a[i], b[i],
                tolerance * std::max(1.0, here.dtype() == DType::kFloat32 ? largest : 1))
        << i;
  }
  const auto top = static_cast<std::size_t>(std::ranges::max_element(a) - a.begin());
  const auto top_there = static_cast<std::size_t>(std::ranges::max_element(b) - b.begin());
  EXPECT_NEAR(a[top_there], a[top], tolerance);
}

struct Model {
  const char* file;
  const char* format;
  const char* runtime;
  bool of_corpus = false;
};

void PrintTo(const Model& model, std::ostream* out) { *out << model.file; }

std::filesystem::path PathOf(const Model& model) {
  if (!model.of_corpus) return std::filesystem::path(KENNING_SOURCE_DIR) / model.file;
  const char* corpus = std::getenv("KENNING_CORPUS");
  return corpus == nullptr ? std::filesystem::path() : std::filesystem::path(corpus) / model.file;
}

class EmulatedAgentTest : public testing::TestWithParam<Model> {};

TEST_P(EmulatedAgentTest, PredictsAsThisMachineDoes) {
  const char* command = std::getenv("KENNING_TEST_AGENT");
  if (command == nullptr) GTEST_SKIP() << "KENNING_TEST_AGENT is not set";
  const std::filesystem::path path = PathOf(GetParam());
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "KENNING_CORPUS is not set";

  const auto info = Engines().Find(BlockCategory::kRuntime, GetParam().runtime);
  ASSERT_TRUE(info);
  BlockContext context;
  auto runtime = (*info)->make_runtime(DefaultParams((*info)->schema), context);
  ASSERT_TRUE(runtime) << runtime.error().message();
  auto local = (*runtime)->Load(path, GetParam().format);
  ASSERT_TRUE(local) << local.error().message();
  const ModelSpec spec = (*local)->spec();

  EmulatedAgent agent(command);
  ASSERT_NE(agent.port(), 0) << agent.Log();
  auto channel = ConnectTcp("127.0.0.1", agent.port(), Deadline::After(kPatience_s));
  ASSERT_TRUE(channel) << channel.error().message();
  WireSettings settings;
  settings.native = NativeMode::kOn;
  settings.timeout_s = kPatience_s;
  auto client = wire::TargetClient::Connect(*std::move(channel), settings);
  ASSERT_TRUE(client) << client.error().message() << agent.Log();
  const auto target = (*client)->Info();
  ASSERT_TRUE(target);
  EXPECT_NE(target->json.find("aarch64"), std::string::npos) << target->json;
  ModelArtifact artifact{.path = path, .format = GetParam().format, .spec = spec};
  artifact.sha256 = *Sha256OfTree(path);
  artifact.size_bytes = *TreeSizeBytes(path);
  const auto loaded = (*client)->LoadModel(artifact, ModelSpecToJson(spec), {});
  ASSERT_TRUE(loaded) << loaded.error().message() << agent.Log();

  std::vector<Tensor> inputs = MakeTensors(spec.engine_inputs());
  std::vector<TensorView> in;
  std::vector<Shape> shapes;
  for (const Tensor& input : inputs) {
    in.push_back(input.view());
    shapes.push_back(input.shape());
  }
  const auto output_specs = (*local)->ResolveOutputs(shapes);
  ASSERT_TRUE(output_specs);
  std::vector<Tensor> here = MakeTensors(*output_specs);
  std::vector<Tensor> there = MakeTensors(*output_specs);
  std::vector<MutableTensorView> out_here;
  std::vector<MutableTensorView> out_there;
  for (Tensor& output : here) out_here.push_back(output.mutable_view());
  for (Tensor& output : there) out_there.push_back(output.mutable_view());

  std::mt19937 generator(1);
  for (int i = 0; i < kSamples; ++i) {
    for (Tensor& input : inputs) Fill(input, generator);
    ASSERT_TRUE((*local)->Invoke(in, out_here));
    const auto result = (*client)->Infer(in, out_there);
    ASSERT_TRUE(result) << result.error().message() << agent.Log();
    for (std::size_t k = 0; k < here.size(); ++k) ExpectAlike(here[k], there[k]);
  }

  ASSERT_TRUE((*client)->Disconnect());
  client->reset();
  EXPECT_EQ(agent.Wait(), 0) << agent.Log();
  // Emulation takes no filter of system calls: the agent must not be silent about it.
  EXPECT_NE(agent.Log().find("sessions can make any system call"), std::string::npos)
      << agent.Log();
}

INSTANTIATE_TEST_SUITE_P(
    Models, EmulatedAgentTest,
    testing::Values(
        Model{"resources/models/magic_wand.onnx", "onnx", "ONNXRuntime"},
        Model{"engines/tflite/testdata/conformance.tflite", "tflite", "TFLiteRuntime"},
        Model{"engines/tflite/testdata/conformance_int8.tflite", "tflite", "TFLiteRuntime"},
        Model{"cifar10-resnet8/pretrainedResnet.tflite", "tflite", "TFLiteRuntime", true},
        Model{"cifar10-resnet8/pretrainedResnet_quant.tflite", "tflite", "TFLiteRuntime", true}),
    [](const auto& tested) {
      std::string name = std::filesystem::path(tested.param.file).filename().string();
      std::ranges::replace_if(
          name, [](char c) { return c == '.'; }, '_');
      return name;
    });

}  // namespace
}  // namespace kenning
