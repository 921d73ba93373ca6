// SPDX-License-Identifier: Apache-2.0
// TFLiteCompiler in its toolchain; skipped where that is not installed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "kenning/base/file.h"
#include "kenning/toolchain/toolchain.h"
#include "tflite_compiler.h"
#ifdef KENNING_TFLITE_SDK
#include <nlohmann/json.hpp>

#include "tflite_runtime.h"
#endif

namespace kenning::tflite {
namespace {

/// Normally distributed samples; or uniform within 0..255.
class NoiseSamples final : public CalibrationView {
 public:
  NoiseSamples(Shape shape, bool pixels) : shape_(std::move(shape)), pixels_(pixels) {}
  std::size_t size() const override { return 24; }
  Result<> Get(std::size_t index, std::vector<Tensor>& out) override {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(DType::kFloat32, shape_));
    std::mt19937 engine(static_cast<unsigned>(index));
    std::normal_distribution<float> normal;
    std::uniform_real_distribution<float> uniform(0, 255);
    for (float& value : tensor.as<float>()) value = pixels_ ? uniform(engine) : normal(engine);
    out.clear();
    out.push_back(std::move(tensor));
    return {};
  }

 private:
  Shape shape_;
  bool pixels_;
};

class TfliteCompileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto info = FindToolchain("tensorflow");
    if (!info) GTEST_SKIP() << info.error().message();
    if (!ToolchainInstalled(*info)) GTEST_SKIP() << ToolchainMissing(*info).message();
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        (std::string("kenning_") + testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  static std::filesystem::path TestData(const std::string& name) {
    return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tflite/testdata" / name;
  }

  Result<ModelArtifact> Compile(const std::filesystem::path& model, const std::string& format,
                                CompilerSettings settings, CalibrationView* calibration) {
    settings.output_path = folder_ / "out.tflite";
    TfliteCompiler compiler(settings);
    NullProgress progress;
    const CancelToken cancel;
    OptimizeContext context{calibration, progress, cancel};
    ModelArtifact input;
    input.path = model;
    input.format = format;
    auto artifact = compiler.Optimize(input, context);
    EXPECT_TRUE(artifact) << artifact.error().ToString();
    return artifact;
  }
  std::filesystem::path folder_;
};

ModelFile Read(const std::filesystem::path& path) {
  return ParseModel(ReadFile(path).value(), path.string()).value();
}

TEST_F(TfliteCompileTest, KerasFilesOfBothKindsBecomeFloatModels) {
  for (const char* name : {"conformance.keras", "conformance.h5"}) {
    const auto artifact = Compile(TestData(name), "keras", {}, nullptr);
    ASSERT_TRUE(artifact);
    EXPECT_EQ(artifact->format, "tflite");
    EXPECT_EQ(artifact->spec.inputs.at(0).shape, (Shape{1, 8, 8, 3}));
    EXPECT_EQ(artifact->spec.inputs.at(0).dtype, DType::kFloat32);
    EXPECT_TRUE(artifact->spec.processed_inputs.empty());
    EXPECT_EQ(artifact->provenance.back().framework, "tensorflow");
    const Int8Share share = CountInt8(Read(artifact->path));
    EXPECT_EQ(share.float_heavy.size(), 4U);
  }
}

TEST_F(TfliteCompileTest, Int8IsInt8) {
  NoiseSamples samples({1, 8, 8, 3}, false);
  const auto artifact =
      Compile(TestData("conformance.keras"), "keras",
              {.target = "int8", .input_type = "int8", .output_type = "int8"}, &samples);
  ASSERT_TRUE(artifact);
  const Int8Share share = CountInt8(Read(artifact->path));
  EXPECT_EQ(share.heavy, 4);
  EXPECT_TRUE(share.float_heavy.empty());
  ASSERT_EQ(artifact->spec.processed_inputs.size(), 1U);
  const TensorSpec& processed = artifact->spec.processed_inputs[0];
  EXPECT_EQ(processed.dtype, DType::kInt8);
  EXPECT_EQ(processed.prequantized_dtype, DType::kFloat32);
  EXPECT_TRUE(processed.quant);
  EXPECT_EQ(artifact->spec.inputs.at(0).dtype, DType::kFloat32);
  EXPECT_FALSE(artifact->spec.inputs.at(0).quant);
  EXPECT_EQ(artifact->spec.processed_outputs.at(0).dtype, DType::kInt8);
  EXPECT_EQ(artifact->provenance.back().notes.at(0),
            "4 of 4 operators with weights compute in int8");
}

TEST_F(TfliteCompileTest, SmallerWeightsAndOpenBatch) {
  const auto full = Compile(TestData("conformance.keras"), "keras", {.static_batch = 0}, nullptr);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->spec.inputs.at(0).shape, (Shape{kAnyDim, 8, 8, 3}));
  const auto half = Compile(TestData("conformance.keras"), "keras", {.target = "float16"}, nullptr);
  ASSERT_TRUE(half);
  EXPECT_EQ(half->spec.inputs.at(0).dtype, DType::kFloat32);
}

#ifdef KENNING_TFLITE_SDK
TEST_F(TfliteCompileTest, OnnxGivesWhatItsReferenceGives) {
  // The model and the outputs of ONNX's own reference evaluator, as the other engine has them.
  const std::filesystem::path other =
      std::filesystem::path(KENNING_SOURCE_DIR) / "engines/onnxruntime";
  const auto text = ReadFile(other / "conformance.json");
  ASSERT_TRUE(text);
  nlohmann::json facts = nlohmann::json::parse(*text);
  if (facts.is_array()) facts = facts.at(0);
  const auto artifact = Compile(other / facts.at("model").get<std::string>(), "onnx", {}, nullptr);
  ASSERT_TRUE(artifact);
  TfliteRuntime runtime({.num_threads = 1}, "");
  const auto session = runtime.Load(artifact->path, "tflite");
  ASSERT_TRUE(session) << session.error().ToString();
  Tensor input = Tensor::Create(DType::kFloat32, artifact->spec.inputs.at(0).shape).value();
  const auto given = facts.at("inputs").at(0).get<std::vector<float>>();
  ASSERT_EQ(given.size(), input.as<float>().size());
  std::copy(given.begin(), given.end(), input.as<float>().begin());
  Tensor output = Tensor::Create(DType::kFloat32, artifact->spec.outputs.at(0).shape).value();
  ASSERT_TRUE((*session)->Invoke(std::vector<TensorView>{input.view()},
                                 std::vector<MutableTensorView>{output.mutable_view()}));
  const auto expected = facts.at("outputs").at(0).get<std::vector<float>>();
  ASSERT_EQ(expected.size(), output.as<float>().size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(output.as<float>()[i], expected[i], 1e-5);
  }
}
#endif

TEST_F(TfliteCompileTest, EdgeTpuModelsGoThroughItsCompiler) {
  const std::filesystem::path program = folder_ / "edgetpu_compiler";
  ASSERT_TRUE(WriteFileAtomically(program,
                                  "#!/bin/sh\n# edgetpu_compiler -s -o FOLDER MODEL\n"
                                  "cp \"$4\" \"$3/$(basename \"$4\" .tflite)_edgetpu.tflite\"\n"
                                  "echo 'Number of operations that will run on Edge TPU: 6'\n"));
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  NoiseSamples samples({1, 8, 8, 3}, false);
  const auto artifact = Compile(TestData("conformance.keras"), "keras",
                                {.target = "edgetpu",
                                 .input_type = "uint8",
                                 .output_type = "uint8",
                                 .edgetpu_compiler = program},
                                &samples);
  ASSERT_TRUE(artifact);
  EXPECT_EQ(artifact->spec.processed_inputs.at(0).dtype, DType::kUint8);
  EXPECT_EQ(artifact->provenance.back().notes.at(0),
            "Edge TPU compiler: Number of operations that will run on Edge TPU: 6");
}

TEST_F(TfliteCompileTest, BrokenAndForeignModelsAreNamedErrors) {
  const std::filesystem::path broken = folder_ / "broken.h5";
  ASSERT_TRUE(WriteFileAtomically(broken, "no model at all"));
  TfliteCompiler compiler({.output_path = folder_ / "out.tflite"});
  NullProgress progress;
  const CancelToken cancel;
  OptimizeContext context{nullptr, progress, cancel};
  ModelArtifact input;
  input.path = broken;
  input.format = "keras";
  const auto refused = compiler.Optimize(input, context);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidModel);
  EXPECT_NE(refused.error().ToString().find("broken.h5"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.tflite"));
}

TEST_F(TfliteCompileTest, CorpusKerasModels) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  NoiseSamples samples({1, 32, 32, 3}, true);
  const std::filesystem::path root = corpus;
  const auto resnet = Compile(root / "cifar10-resnet8/pretrainedResnet.h5", "keras",
                              {.target = "int8", .input_type = "int8"}, &samples);
  ASSERT_TRUE(resnet);
  EXPECT_TRUE(CountInt8(Read(resnet->path)).float_heavy.empty());
  EXPECT_LT(resnet->size_bytes, 110'000U);
  // Keras 2 wrote an argument into this file that Keras 3 does not know.
  ASSERT_TRUE(Compile(root / "vww-mobilenet/vww_96.h5", "keras", {}, nullptr));
  // TensorFlow 2's own loader fails on this one.
  ASSERT_TRUE(Compile(root / "kws-dscnn/kws_ref_model", "savedmodel", {}, nullptr));
}

}  // namespace
}  // namespace kenning::tflite
