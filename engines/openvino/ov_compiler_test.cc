// SPDX-License-Identifier: Apache-2.0
#include "ov_compiler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "kenning/base/file.h"
#include "ov_graph.h"
#include "ov_runtime.h"

namespace kenning::openvino {
namespace {

namespace fs = std::filesystem;

fs::path TestData(const std::string& name) {
  return fs::path(KENNING_SOURCE_DIR) / "engines/openvino/testdata" / name;
}

class OpenVinoCompilerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("ov-compiler-" + std::to_string(::getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<ModelArtifact> Compile(const std::string& model, const std::string& format,
                                const fs::path& output, bool fp16 = false) {
    ModelArtifact input;
    input.path = TestData(model);
    input.format = format;
    NullProgress progress;
    const CancelToken cancel;
    OptimizeContext context{nullptr, progress, cancel};
    return OpenVinoCompiler({output, "any", fp16}).Optimize(input, context);
  }

  /// The first output of a run on a pattern.
  static std::vector<float> Outputs(const fs::path& path, const std::string& format) {
    SessionSettings settings;
    settings.num_threads = 1;
    auto session = OpenVinoRuntime(settings, "").Load(path, format);
    EXPECT_TRUE(session) << session.error().ToString();
    Shape shape = (*session)->spec().inputs[0].shape;
    for (std::int64_t& dim : shape) dim = dim == kAnyDim ? 1 : dim;
    Tensor input = Tensor::Create(DType::kFloat32, shape).value();
    float value = 0;
    for (float& x : input.as<float>()) x = std::sin(value += 0.7F);
    const std::vector<Shape> shapes = {shape};
    Tensor output =
        Tensor::Create(DType::kFloat32, (*session)->ResolveOutputs(shapes).value()[0].shape)
            .value();
    const std::vector<TensorView> in = {input.view()};
    const std::vector<MutableTensorView> out = {output.mutable_view()};
    EXPECT_TRUE((*session)->Invoke(in, out));
    return {output.as<float>().begin(), output.as<float>().end()};
  }

  fs::path folder_;
};

TEST_F(OpenVinoCompilerTest, ConvertsAndKeepsTheResults) {
  for (const auto& [model, format] :
       std::vector<std::pair<std::string, std::string>>{{"conformance.onnx", "onnx"},
                                                        {"conformance_qdq.onnx", "onnx"},
                                                        {"conformance.tflite", "tflite"},
                                                        {"conformance.openvino", "openvino"}}) {
    const fs::path output = folder_ / "model.openvino";
    const auto artifact = Compile(model, format, output);
    ASSERT_TRUE(artifact) << artifact.error().ToString();
    EXPECT_EQ(artifact->format, "openvino");
    EXPECT_EQ(artifact->sha256, Sha256OfTree(output).value());
    EXPECT_EQ(artifact->size_bytes,
              fs::file_size(output / "model.xml") + fs::file_size(output / "model.bin"));
    ASSERT_EQ(artifact->provenance.size(), 1U);
    EXPECT_EQ(artifact->provenance[0].block, "OpenVINOCompiler");
    const auto expected = Outputs(TestData(model), format);
    const auto got = Outputs(output, "openvino");
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-5) << model;
    const auto before = InspectModel(TestData(model), format);
    ASSERT_TRUE(before);
    EXPECT_EQ(artifact->spec.inputs, before->inputs);
    EXPECT_EQ(artifact->spec.outputs, before->outputs);
  }
}

TEST_F(OpenVinoCompilerTest, QuantisationIsKeptAndTold) {
  const fs::path output = folder_ / "int8.openvino";
  const auto artifact = Compile("conformance_int8.tflite", "tflite", output);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  const auto before = InspectModel(TestData("conformance_int8.tflite"), "tflite");
  ASSERT_TRUE(before);
  ASSERT_TRUE(before->inputs[0].quant);
  EXPECT_EQ(artifact->spec, *before);
  SessionSettings settings;
  settings.profiling = true;
  auto session = OpenVinoRuntime(settings, "").Load(output, "openvino");
  ASSERT_TRUE(session) << session.error().ToString();
  EXPECT_EQ((*session)->spec(), *before);
}

TEST_F(OpenVinoCompilerTest, Float16StorageIsSmaller) {
  const auto full = Compile("conformance.tflite", "tflite", folder_ / "full.openvino");
  const auto half = Compile("conformance.tflite", "tflite", folder_ / "half.openvino", true);
  ASSERT_TRUE(full && half);
  EXPECT_LT(fs::file_size(folder_ / "half.openvino/model.bin"),
            fs::file_size(folder_ / "full.openvino/model.bin") * 2 / 3);
  EXPECT_EQ(half->spec.inputs[0].dtype, DType::kFloat32);
}

TEST_F(OpenVinoCompilerTest, CarriesWhatOnlyTheInputsSpecificationKnows) {
  ModelArtifact input;
  input.path = TestData("conformance.onnx");
  input.format = "onnx";
  input.spec = InspectModel(input.path, "onnx").value();
  input.spec.inputs[0].layout = "NCHW";
  input.spec.inputs[0].mean = {0.5F};
  input.spec.outputs[0].class_names = {"a", "b", "c", "d"};
  NullProgress progress;
  const CancelToken cancel;
  OptimizeContext context{nullptr, progress, cancel};
  const auto artifact =
      OpenVinoCompiler({folder_ / "m.openvino", "any", false}).Optimize(input, context);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  EXPECT_EQ(artifact->spec, input.spec);
}

TEST(OpenVinoGraphTest, CountsMultiplyAddsAndInt8) {
  const auto info = ReadGraph(TestData("conformance_qdq.onnx"), "onnx");
  ASSERT_TRUE(info) << info.error().ToString();
  std::uint64_t macs = 0;
  std::uint64_t weight_bytes = 0;
  int convolutions = 0;
  for (const OperatorInfo& entry : info->operators) {
    macs += entry.macs;
    if (entry.op_type != "Convolution") continue;
    ++convolutions;
    weight_bytes += entry.weight_bytes;
    EXPECT_EQ(entry.dtype, DType::kInt8) << entry.name;
  }
  EXPECT_EQ(convolutions, 2);
  EXPECT_EQ(macs, 8U * 64 * 4 * 9 + 8 * 36 * 8 * 9);
  // One byte a weight, and scales.
  EXPECT_GE(weight_bytes, 8U * 4 * 9 + 8 * 8 * 9);
  EXPECT_LE(weight_bytes, 2 * (8U * 4 * 9 + 8 * 8 * 9));
  const auto floats = ReadGraph(TestData("conformance.openvino"), "openvino");
  ASSERT_TRUE(floats) << floats.error().ToString();
  // 3 filters of 2x3x3 on 4x4, and a 3x4 matrix.
  macs = 0;
  for (const OperatorInfo& entry : floats->operators) {
    macs += entry.macs;
    EXPECT_EQ(entry.dtype, DType::kFloat32) << entry.name;
  }
  EXPECT_EQ(macs, 3U * 16 * 18 + 12);
}

TEST_F(OpenVinoCompilerTest, NothingOfTheUsersIsReplaced) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "precious/thesis.txt", "text"));
  const auto refused = Compile("conformance.onnx", "onnx", folder_ / "precious");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kIo);
  EXPECT_TRUE(fs::exists(folder_ / "precious/thesis.txt"));
  EXPECT_FALSE(Compile("conformance.onnx", "onnx", folder_ / "precious/thesis.txt"));
  // A model is replaced by the next one; nothing else stays beside it.
  ASSERT_TRUE(Compile("conformance.onnx", "onnx", folder_ / "m.openvino"));
  ASSERT_TRUE(Compile("conformance.tflite", "tflite", folder_ / "m.openvino"));
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_EQ(names.size(), 2U);
}

TEST_F(OpenVinoCompilerTest, RefusesWhatItCannotDo) {
  ModelArtifact input;
  input.path = TestData("conformance.onnx");
  input.format = "onnx";
  NullProgress progress;
  const CancelToken cancel;
  OptimizeContext context{nullptr, progress, cancel};
  const auto other = OpenVinoCompiler({folder_ / "m", "tflite", false}).Optimize(input, context);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kInvalidScenario);
  const Params params({{"compiled_model_path", std::string("out/model.xml")},
                       {"model_framework", std::string("any")},
                       {"compress_to_fp16", false}});
  const auto named_like_a_file = OpenVinoCompiler::Make(params);
  ASSERT_FALSE(named_like_a_file);
  EXPECT_EQ(named_like_a_file.error().code(), ErrorCode::kInvalidScenario);
}

}  // namespace
}  // namespace kenning::openvino
