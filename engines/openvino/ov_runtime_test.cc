// SPDX-License-Identifier: Apache-2.0
#include "ov_runtime.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <set>

#include "kenning/base/file.h"

namespace kenning::openvino {
namespace {

namespace fs = std::filesystem;

fs::path TestData(const std::string& name) {
  return fs::path(KENNING_SOURCE_DIR) / "engines/openvino/testdata" / name;
}

/// A session with tensors for its inputs, filled with a pattern, and its outputs.
struct Loaded {
  std::unique_ptr<Session> session;
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;

  std::vector<TensorView> In() const {
    std::vector<TensorView> views;
    for (const Tensor& tensor : inputs) views.push_back(tensor.view());
    return views;
  }
  std::vector<MutableTensorView> Out() {
    std::vector<MutableTensorView> views;
    for (Tensor& tensor : outputs) views.push_back(tensor.mutable_view());
    return views;
  }
  Result<> Run() { return session->Invoke(In(), Out()); }
};

void Resize(Loaded& loaded, std::int64_t batch) {
  loaded.inputs.clear();
  loaded.outputs.clear();
  std::vector<Shape> shapes;
  for (const TensorSpec& spec : loaded.session->spec().inputs) {
    Shape shape = spec.shape;
    for (std::int64_t& dim : shape) dim = dim == kAnyDim ? batch : dim;
    Tensor tensor = Tensor::Create(spec.dtype, shape).value();
    if (spec.dtype == DType::kFloat32) {
      float value = 0;
      for (float& x : tensor.as<float>()) x = std::sin(value += 0.7F);
    } else {
      int value = 0;
      for (std::size_t i = 0; i < tensor.size_bytes(); ++i) {
        tensor.data()[i] = static_cast<std::byte>(value += 37);
      }
    }
    shapes.push_back(shape);
    loaded.inputs.push_back(std::move(tensor));
  }
  const auto resolved = loaded.session->ResolveOutputs(shapes);
  ASSERT_TRUE(resolved) << resolved.error().ToString();
  for (const TensorSpec& spec : *resolved) {
    loaded.outputs.push_back(Tensor::Create(spec.dtype, spec.shape).value());
  }
}

Loaded LoadPath(const fs::path& path, const std::string& format, SessionSettings settings = {}) {
  settings.num_threads = 1;
  OpenVinoRuntime runtime(settings, "");
  auto session = runtime.Load(path, format);
  EXPECT_TRUE(session) << session.error().ToString();
  Loaded loaded;
  loaded.session = *std::move(session);
  Resize(loaded, 1);
  return loaded;
}

std::map<std::string, int> TypesOf(Session& session, const std::set<std::string>& operators) {
  std::map<std::string, int> types;
  const auto profile = session.Profile();
  EXPECT_TRUE(profile);
  for (const OperatorProfile& entry : *profile) {
    if (operators.contains(entry.op_type)) ++types[entry.dtype];
  }
  return types;
}

TEST(OpenVinoRuntimeTest, NamesItsVersion) {
  const OpenVinoRuntime runtime({}, "");
  EXPECT_EQ(runtime.engine().name, "openvino");
  EXPECT_TRUE(runtime.engine().version.starts_with("20")) << runtime.engine().version;
}

TEST(OpenVinoRuntimeTest, QuantisedInputsAndOutputsTellTheirQuantisation) {
  const Loaded loaded = LoadPath(TestData("conformance_int8.tflite"), "tflite");
  const TensorSpec& input = loaded.session->spec().inputs.at(0);
  const TensorSpec& output = loaded.session->spec().outputs.at(0);
  EXPECT_EQ(input.dtype, DType::kInt8);
  ASSERT_TRUE(input.quant);
  // As the file says.
  EXPECT_NEAR(input.quant->scale.at(0), 0.030285051092505455, 1e-6);
  EXPECT_EQ(input.quant->zero_point.at(0), -7);
  ASSERT_TRUE(output.quant);
  EXPECT_NEAR(output.quant->scale.at(0), 1.0 / 256, 1e-7);
  EXPECT_EQ(output.quant->zero_point.at(0), -128);
}

TEST(OpenVinoRuntimeTest, QuantisedModelsRunInInt8) {
  SessionSettings settings;
  settings.profiling = true;
  Loaded onnx = LoadPath(TestData("conformance_qdq.onnx"), "onnx", settings);
  ASSERT_TRUE(onnx.Run());
  EXPECT_EQ(TypesOf(*onnx.session, {"Convolution"}), (std::map<std::string, int>{{"int8", 2}}));
  Loaded tflite = LoadPath(TestData("conformance_int8.tflite"), "tflite", settings);
  ASSERT_TRUE(tflite.Run());
  EXPECT_GE(TypesOf(*tflite.session, {"Convolution"})["int8"], 1);
}

TEST(OpenVinoRuntimeTest, ArithmeticIsFloat32UnlessAskedOtherwise) {
  SessionSettings settings;
  settings.profiling = true;
  Loaded loaded = LoadPath(TestData("conformance.tflite"), "tflite", settings);
  ASSERT_TRUE(loaded.Run());
  const auto types = TypesOf(*loaded.session, {"Convolution"});
  EXPECT_TRUE(types.contains("float32"));
  EXPECT_EQ(types.size(), 1U);
}

TEST(OpenVinoRuntimeTest, ProfileCountsEveryInference) {
  SessionSettings settings;
  settings.profiling = true;
  Loaded loaded = LoadPath(TestData("conformance.onnx"), "onnx", settings);
  EXPECT_TRUE(loaded.session->Profile()->empty());
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(loaded.Run());
  const auto profile = loaded.session->Profile();
  ASSERT_TRUE(profile);
  ASSERT_FALSE(profile->empty());
  for (const OperatorProfile& entry : *profile) {
    EXPECT_EQ(entry.calls, 7U);
    EXPECT_FALSE(entry.kernel.empty());
  }
  Loaded without = LoadPath(TestData("conformance.onnx"), "onnx");
  ASSERT_TRUE(without.Run());
  EXPECT_TRUE(without.session->Profile()->empty());
}

TEST(OpenVinoRuntimeTest, NamesOfConvolutionsAreTheSameForEveryLoad) {
  SessionSettings settings;
  settings.profiling = true;
  std::set<std::string> names[2];
  for (std::set<std::string>& found : names) {
    Loaded loaded = LoadPath(TestData("conformance_int8.tflite"), "tflite", settings);
    ASSERT_TRUE(loaded.Run());
    const auto profile = loaded.session->Profile();
    ASSERT_TRUE(profile);
    for (const OperatorProfile& entry : *profile) {
      if (entry.op_type == "Convolution") found.insert(entry.name);
    }
    EXPECT_GE(found.size(), 2U);
  }
  EXPECT_EQ(names[0], names[1]);
}

TEST(OpenVinoRuntimeTest, BatchesOfAnySizeAgree) {
  Loaded loaded = LoadPath(TestData("conformance.tflite"), "tflite");
  ASSERT_EQ(loaded.session->spec().inputs[0].shape[0], kAnyDim);
  // More sizes than are kept, and back to the first.
  for (const std::int64_t batch : {2, 3, 4, 5, 6, 1, 2}) {
    Resize(loaded, batch);
    ASSERT_TRUE(loaded.Run());
    const std::size_t classes =
        loaded.outputs[0].as<float>().size() / static_cast<std::size_t>(batch);
    const std::vector<float> whole(loaded.outputs[0].as<float>().begin(),
                                   loaded.outputs[0].as<float>().end());
    const Tensor all = loaded.inputs[0].Clone();
    Loaded single = LoadPath(TestData("conformance.tflite"), "tflite");
    const std::size_t sample = single.inputs[0].as<float>().size();
    for (std::size_t row = 0; row < static_cast<std::size_t>(batch); ++row) {
      std::copy_n(all.as<float>().begin() + static_cast<std::ptrdiff_t>(row * sample), sample,
                  single.inputs[0].as<float>().begin());
      ASSERT_TRUE(single.Run());
      for (std::size_t k = 0; k < classes; ++k) {
        EXPECT_NEAR(single.outputs[0].as<float>()[k], whole[row * classes + k], 1e-5);
      }
    }
  }
}

TEST(OpenVinoRuntimeTest, ShapesThatDoNotFitAreInvalidArguments) {
  const Loaded loaded = LoadPath(TestData("conformance.tflite"), "tflite");
  for (const Shape& shape : {Shape{1, 8, 8}, Shape{1, 8, 8, 4}, Shape{kAnyDim, 8, 8, 3}}) {
    const std::vector<Shape> shapes = {shape};
    const auto resolved = loaded.session->ResolveOutputs(shapes);
    ASSERT_FALSE(resolved);
    EXPECT_EQ(resolved.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(OpenVinoRuntimeTest, ShowsTheTensorsInside) {
  for (const auto& [file, format] :
       std::vector<std::pair<std::string, std::string>>{{"conformance.tflite", "tflite"},
                                                        {"conformance_qdq.onnx", "onnx"},
                                                        {"conformance.openvino", "openvino"},
                                                        {"conformance_int8.tflite", "tflite"}}) {
    Loaded loaded = LoadPath(TestData(file), format);
    ASSERT_TRUE(loaded.Run());
    const auto inside = loaded.session->Intermediates(loaded.In());
    ASSERT_TRUE(inside) << inside.error().ToString();
    EXPECT_GT(inside->size(), 3U) << file;
    std::set<std::string> names;
    for (const NamedTensor& tensor : *inside)
      EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
    for (const NamedTensor& tensor : *inside) {
      const DType type = tensor.value.dtype();
      EXPECT_EQ(tensor.quant.has_value(), type == DType::kInt8 || type == DType::kUint8)
          << file << " " << tensor.name;
    }
    // The output is among them, with the values of an ordinary run.
    const NamedTensor& last = inside->back();
    ASSERT_EQ(last.name, loaded.session->spec().outputs[0].name);
    ASSERT_EQ(last.value.size_bytes(), loaded.outputs[0].size_bytes());
    if (last.value.dtype() != DType::kFloat32) continue;
    for (std::size_t k = 0; k < last.value.as<float>().size(); ++k) {
      EXPECT_NEAR(last.value.as<float>()[k], loaded.outputs[0].as<float>()[k], 0.03);
    }
  }
}

TEST(OpenVinoRuntimeTest, IntermediatesCheckTheirInputs) {
  const Loaded loaded = LoadPath(TestData("conformance.tflite"), "tflite");
  EXPECT_EQ(loaded.session->Intermediates({}).error().code(), ErrorCode::kInvalidArgument);
  std::vector<TensorView> lying = loaded.In();
  lying[0].size_bytes -= 4;
  EXPECT_EQ(loaded.session->Intermediates(lying).error().code(), ErrorCode::kInvalidArgument);
}

TEST(OpenVinoRuntimeTest, HintsAndPrecisionsAreTaken) {
  for (const std::string hint : {"latency", "throughput", "none"}) {
    for (const std::string precision : {"float32", "bfloat16", "auto"}) {
      SessionSettings settings;
      settings.performance_hint = hint;
      settings.inference_precision = precision;
      settings.num_streams = 1;
      Loaded loaded = LoadPath(TestData("conformance.onnx"), "onnx", settings);
      EXPECT_TRUE(loaded.Run()) << hint << " " << precision;
    }
  }
}

TEST(OpenVinoRuntimeTest, RunsTheQuantisedModelsOfTheCorpus) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  SessionSettings settings;
  settings.profiling = true;
  const fs::path root(corpus);
  for (const auto& [path, format] : std::vector<std::pair<fs::path, std::string>>{
           {root / "cifar10-resnet8/pretrainedResnet_quant.tflite", "tflite"},
           {root / "vww-mobilenet/vww_96_int8.tflite", "tflite"},
           {root / "cifar10-resnet20/resnet20_int8.onnx", "onnx"}}) {
    Loaded loaded = LoadPath(path, format, settings);
    ASSERT_TRUE(loaded.Run());
    const auto types = TypesOf(*loaded.session, {"Convolution"});
    EXPECT_EQ(types.size(), 1U) << path;
    EXPECT_TRUE(types.contains("int8")) << path;
  }
}

}  // namespace
}  // namespace kenning::openvino
