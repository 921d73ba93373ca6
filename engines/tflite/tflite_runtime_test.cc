// SPDX-License-Identifier: Apache-2.0
#include "tflite_runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <thread>

#include "kenning/base/file.h"
#include "tflite_session.h"

namespace kenning::tflite {
namespace {

std::filesystem::path TestData(const std::string& name) {
  return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tflite/testdata" / name;
}

Tensor Noise(DType dtype, const Shape& shape, unsigned seed = 1) {
  Tensor tensor = Tensor::Create(dtype, shape).value();
  std::mt19937 engine(seed);
  if (dtype == DType::kFloat32) {
    std::normal_distribution<float> normal;
    for (float& value : tensor.as<float>()) value = normal(engine);
  } else {
    for (std::uint8_t& value : tensor.as<std::uint8_t>()) {
      value = static_cast<std::uint8_t>(engine());
    }
  }
  return tensor;
}

std::unique_ptr<Session> LoadOrDie(const std::filesystem::path& path,
                                   const SessionSettings& settings = {.num_threads = 1}) {
  TfliteRuntime runtime(settings, "");
  auto session = runtime.Load(path, "tflite");
  EXPECT_TRUE(session) << session.error().ToString();
  return session ? *std::move(session) : nullptr;
}

std::vector<float> RunFloat(Session& session, const Tensor& input) {
  const std::vector<Shape> shapes = {input.shape()};
  const auto specs = session.ResolveOutputs(shapes);
  EXPECT_TRUE(specs) << specs.error().ToString();
  Tensor output = Tensor::Create(specs->at(0).dtype, specs->at(0).shape).value();
  const auto invoked = session.Invoke(std::vector<TensorView>{input.view()},
                                      std::vector<MutableTensorView>{output.mutable_view()});
  EXPECT_TRUE(invoked) << invoked.error().ToString();
  return {output.as<float>().begin(), output.as<float>().end()};
}

TEST(TfliteRuntimeTest, SpecIsTruthful) {
  const auto session = LoadOrDie(TestData("conformance.tflite"));
  const TensorSpec& input = session->spec().inputs.at(0);
  EXPECT_EQ(input.shape, (Shape{kAnyDim, 8, 8, 3}));
  EXPECT_EQ(input.layout, "NHWC");
  EXPECT_FALSE(input.quant);
  EXPECT_EQ(session->spec().outputs.at(0).shape, (Shape{kAnyDim, 4}));
  const auto quantised = LoadOrDie(TestData("conformance_int8.tflite"));
  EXPECT_EQ(quantised->spec().inputs.at(0).dtype, DType::kInt8);
  ASSERT_TRUE(quantised->spec().outputs.at(0).quant);
  EXPECT_EQ(quantised->spec().outputs.at(0).quant->scale, (std::vector<float>{1.0F / 256}));
  EXPECT_EQ(quantised->spec().outputs.at(0).quant->zero_point, (std::vector<std::int64_t>{-128}));
}

TEST(TfliteRuntimeTest, AnyBatchGivesTheSameRows) {
  const auto session = LoadOrDie(TestData("conformance.tflite"));
  const Tensor batch = Noise(DType::kFloat32, {5, 8, 8, 3});
  const std::vector<float> together = RunFloat(*session, batch);
  ASSERT_EQ(together.size(), 20U);
  for (std::size_t row = 0; row < 5; ++row) {
    Tensor one = Tensor::Create(DType::kFloat32, {1, 8, 8, 3}).value();
    std::copy_n(batch.data() + row * one.size_bytes(), one.size_bytes(), one.data());
    const std::vector<float> alone = RunFloat(*session, one);
    for (std::size_t k = 0; k < 4; ++k) EXPECT_NEAR(alone[k], together[row * 4 + k], 1e-6);
  }
}

TEST(TfliteRuntimeTest, KernelsAgreeWithXnnpack) {
  const Tensor input = Noise(DType::kFloat32, {1, 8, 8, 3});
  const auto fast = LoadOrDie(TestData("conformance.tflite"));
  const auto plain =
      LoadOrDie(TestData("conformance.tflite"), {.num_threads = 1, .xnnpack = false});
  const std::vector<float> a = RunFloat(*fast, input);
  const std::vector<float> b = RunFloat(*plain, input);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5);
}

TEST(TfliteRuntimeTest, WrongTensorsAreRefused) {
  const auto session = LoadOrDie(TestData("conformance.tflite"));
  const Tensor good = Noise(DType::kFloat32, {1, 8, 8, 3});
  Tensor output = Tensor::Create(DType::kFloat32, {1, 4}).value();
  const std::vector<MutableTensorView> out = {output.mutable_view()};
  const Tensor wide = Noise(DType::kFloat32, {1, 8, 9, 3});
  const Tensor integer = Noise(DType::kInt8, {1, 8, 8, 3});
  for (const Tensor* wrong : {&wide, &integer}) {
    const auto invoked = session->Invoke(std::vector<TensorView>{wrong->view()}, out);
    ASSERT_FALSE(invoked);
    EXPECT_EQ(invoked.error().code(), ErrorCode::kInvalidArgument);
  }
  Tensor narrow = Tensor::Create(DType::kFloat32, {1, 3}).value();
  EXPECT_FALSE(session->Invoke(std::vector<TensorView>{good.view()},
                               std::vector<MutableTensorView>{narrow.mutable_view()}));
  const std::vector<Shape> absurd = {{std::int64_t{1} << 40, 8, 8, 3}};
  EXPECT_FALSE(session->ResolveOutputs(absurd));
  EXPECT_TRUE(session->Invoke(std::vector<TensorView>{good.view()}, out));
}

TEST(TfliteRuntimeTest, ProfilesOperators) {
  const Tensor input = Noise(DType::kFloat32, {1, 8, 8, 3});
  for (const bool xnnpack : {true, false}) {
    const auto session = LoadOrDie(TestData("conformance.tflite"),
                                   {.num_threads = 1, .xnnpack = xnnpack, .profiling = true});
    for (int i = 0; i < 3; ++i) RunFloat(*session, input);
    const auto profile = session->Profile();
    ASSERT_TRUE(profile);
    EXPECT_GE(profile->size(), 6U);
    for (const OperatorProfile& item : *profile) {
      EXPECT_EQ(item.calls, 3U) << item.name;
      EXPECT_TRUE(item.kernel.starts_with(xnnpack ? "XNNPACK" : "TFLite")) << item.name;
    }
    // Convolutions have the names that the graph's reader gives them, whoever ran them.
    const GraphInfo graph =
        GraphOfModel(ParseModel(ReadFile(TestData("conformance.tflite")).value(), "m").value());
    for (const OperatorInfo& op : graph.operators) {
      if (op.macs == 0) continue;
      EXPECT_TRUE(std::ranges::any_of(*profile, [&op](const OperatorProfile& item) {
        return item.name == op.name && item.op_type == op.op_type;
      })) << op.name;
    }
  }
  EXPECT_TRUE(LoadOrDie(TestData("conformance.tflite"))->Profile()->empty());
}

TEST(TfliteRuntimeTest, ShowsTensorsInside) {
  for (const char* name : {"conformance.tflite", "conformance_int8.tflite"}) {
    const auto session = LoadOrDie(TestData(name));
    const TensorSpec& spec = session->spec().inputs[0];
    const Tensor input = Noise(spec.dtype, {1, 8, 8, 3});
    const auto tensors = session->Intermediates(std::vector<TensorView>{input.view()});
    ASSERT_TRUE(tensors) << tensors.error().ToString();
    EXPECT_GE(tensors->size(), 6U);
    const NamedTensor& last = tensors->back();
    EXPECT_EQ(last.name, session->spec().outputs[0].name);
    Tensor output = Tensor::Create(spec.dtype, {1, 4}).value();
    ASSERT_TRUE(session->Invoke(std::vector<TensorView>{input.view()},
                                std::vector<MutableTensorView>{output.mutable_view()}));
    for (std::size_t i = 0; i < output.size_bytes(); ++i) {
      EXPECT_EQ(output.data()[i], last.value.data()[i]);
    }
    EXPECT_EQ(tensors->front().quant.has_value(), spec.dtype == DType::kInt8);
  }
}

TEST(TfliteRuntimeTest, DelegatesAreLoadedOrExplained) {
  TfliteRuntime absent({.delegates = {"libno_such_delegate.so.1"}}, "");
  const auto not_found = absent.Load(TestData("conformance.tflite"), "tflite");
  ASSERT_FALSE(not_found);
  EXPECT_EQ(not_found.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(not_found.error().message().find("libno_such_delegate.so.1"), std::string::npos);
  TfliteRuntime other({.delegates = {"libm.so.6"}}, "");
  const auto no_delegate = other.Load(TestData("conformance.tflite"), "tflite");
  ASSERT_FALSE(no_delegate);
  EXPECT_NE(no_delegate.error().message().find("no external delegate"), std::string::npos);

  const SessionSettings settings = {.num_threads = 1,
                                    .xnnpack = false,
                                    .delegates = {TFLITE_TEST_DELEGATE},
                                    .delegate_options = {"num_threads=1"},
                                    .profiling = true};
  const auto session = LoadOrDie(TestData("conformance.tflite"), settings);
  ASSERT_NE(session, nullptr);
  const Tensor input = Noise(DType::kFloat32, {1, 8, 8, 3});
  EXPECT_EQ(RunFloat(*session, input), RunFloat(*LoadOrDie(TestData("conformance.tflite")), input));
  SessionSettings refused = settings;
  refused.delegate_options = {"refuse=1"};
  TfliteRuntime refusing(refused, "");
  const auto refusal = refusing.Load(TestData("conformance.tflite"), "tflite");
  ASSERT_FALSE(refusal);
  EXPECT_EQ(refusal.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(refusal.error().message().find("no device"), std::string::npos);
  refused.delegate_options = {"novalue"};
  EXPECT_FALSE(TfliteRuntime(refused, "").Load(TestData("conformance.tflite"), "tflite"));
}

TEST(TfliteRuntimeTest, MutatedModelsNeverCrash) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / "kenning_mutated.tflite";
  std::mt19937 engine(3);
  for (const char* name : {"conformance.tflite", "conformance_int8.tflite"}) {
    const std::string good = ReadFile(TestData(name)).value();
    for (int round = 0; round < 150; ++round) {
      std::string bytes = good;
      for (int k = 0; k <= round % 3; ++k) {
        bytes[engine() % bytes.size()] = static_cast<char>(engine());
      }
      if (round % 10 == 0) bytes.resize(engine() % bytes.size());
      ASSERT_TRUE(WriteFileAtomically(path, bytes));
      TfliteRuntime runtime({.num_threads = 1}, "");
      const auto session = runtime.Load(path, "tflite");
      EXPECT_TRUE(session.has_value() || !session.error().message().empty());
    }
  }
  std::filesystem::remove(path);
}

TEST(TfliteRuntimeTest, CorpusModels) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  int loaded = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus)) {
    if (entry.path().extension() != ".tflite") continue;
    const std::string name = entry.path().filename().string();
    TfliteRuntime runtime({.num_threads = 1}, "");
    const auto session = runtime.Load(entry.path(), "tflite");
    if (name.find("_edgetpu") != std::string::npos) {
      ASSERT_FALSE(session) << name;
      EXPECT_EQ(session.error().code(), ErrorCode::kUnavailable);
      EXPECT_NE(session.error().message().find("libedgetpu.so.1"), std::string::npos);
    } else if (name.starts_with("person_detect")) {
      EXPECT_FALSE(session) << name;
    } else {
      EXPECT_TRUE(session) << session.error().ToString();
      ++loaded;
    }
  }
  EXPECT_GT(loaded, 10);
}

}  // namespace
}  // namespace kenning::tflite
