// SPDX-License-Identifier: Apache-2.0
#include "iree_compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "iree_session.h"
#include "kenning/base/file.h"
#include "kenning/toolchain/toolchain.h"

namespace kenning::iree {
namespace {

using testing::Contains;
using testing::HasSubstr;

using Values = std::map<std::string, ParamValue, std::less<>>;

Values Defaults(const std::string& output) {
  return {{"compiled_model_path", (std::filesystem::path(testing::TempDir()) / output).string()},
          {"backend", std::string("llvm-cpu")},
          {"target_cpu", std::string("x86-64-v2")},
          {"opt_level", std::string("O3")},
          {"data_tiling", true},
          {"conv_layout", std::string("auto")},
          {"batch_size", std::int64_t{1}},
          {"verify", true}};
}

ModelArtifact SmallCnn() {
  ModelArtifact artifact;
  artifact.path = std::filesystem::path(KENNING_SOURCE_DIR) / "engines/iree/testdata/cnn.onnx";
  artifact.format = "onnx";
  artifact.spec.inputs = {{.name = "image", .shape = {1, 3, 8, 8}, .layout = "NCHW"}};
  artifact.spec.outputs = {{.name = "scores", .shape = {1, 5}}};
  return artifact;
}

Result<ModelArtifact> Compile(Values values, const ModelArtifact& input) {
  KENNING_ASSIGN_OR_RETURN(const std::unique_ptr<Optimizer> compiler,
                           IreeCompiler::Make(Params(std::move(values))));
  NullProgress progress;
  CancelToken cancel;
  OptimizeContext context{nullptr, progress, cancel};
  return compiler->Optimize(input, context);
}

bool HaveToolchain(const char* name) {
  const auto info = FindToolchain(name);
  return info && ToolchainInstalled(*info);
}
#define KENNING_NEEDS_TOOLCHAIN(name)                                                \
  if (!HaveToolchain(name)) {                                                        \
    GTEST_SKIP() << "needs the toolchain " name ": kenning toolchain install " name; \
  }                                                                                  \
  static_assert(true)

TEST(IreeCompilerTest, RefusesBackendsOfGpusAndOtherOutputs) {
  Values values = Defaults("gpu.vmfb");
  values["backend"] = std::string("cuda");
  EXPECT_EQ(IreeCompiler::Make(Params(values)).error().code(), ErrorCode::kUnavailable);
  values["backend"] = std::string("vmvx");
  for (const char* arg : {"-o", "o=x", "--compile-to=vm", "output-format=vm-c", "@file"}) {
    values["compiler_args"] = std::vector<std::string>{arg};
    EXPECT_EQ(IreeCompiler::Make(Params(values)).error().code(), ErrorCode::kInvalidScenario)
        << arg;
  }
}

TEST(IreeCompilerTest, CompilesComparesAndKeepsNames) {
  KENNING_NEEDS_TOOLCHAIN("iree");
  for (const char* backend : {"dylib", "vmvx"}) {
    Values values = Defaults("small.vmfb");
    values["backend"] = std::string(backend);
    values["compiler_args"] = std::vector<std::string>{"iree-opt-level=O2"};
    const auto compiled = Compile(values, SmallCnn());
    ASSERT_TRUE(compiled) << compiled.error().ToString();
    EXPECT_EQ(compiled->format, "iree");
    EXPECT_EQ(compiled->spec, SmallCnn().spec);
    EXPECT_EQ(compiled->sha256, Sha256OfFile(compiled->path).value());
    ASSERT_EQ(compiled->provenance.size(), 1U);
    EXPECT_EQ(compiled->provenance[0].version, "3.13.0");
    EXPECT_THAT(compiled->provenance[0].notes, Contains(HasSubstr("cosine 1.000")));
    EXPECT_EQ(IreeSession::Inspect(compiled->path).value(), SmallCnn().spec);
  }
}

TEST(IreeCompilerTest, FixesABatchOfAnySizeOrKeepsIt) {
  KENNING_NEEDS_TOOLCHAIN("iree");
  ModelArtifact input = SmallCnn();
  input.path.replace_filename("cnn_batch.onnx");
  input.spec.inputs[0].shape[0] = kAnyDim;
  input.spec.outputs[0].shape[0] = kAnyDim;
  Values values = Defaults("batch.vmfb");
  for (const std::int64_t batch : {3, 0}) {
    values["batch_size"] = batch;
    const auto compiled = Compile(values, input);
    ASSERT_TRUE(compiled) << compiled.error().ToString();
    EXPECT_EQ(compiled->spec.inputs[0].shape[0], batch == 0 ? kAnyDim : batch);
    EXPECT_EQ(compiled->spec.outputs[0].shape[0], batch == 0 ? kAnyDim : batch);
    EXPECT_THAT(compiled->provenance[0].notes, Contains(HasSubstr("cosine 1.000")));
  }
}

TEST(IreeCompilerTest, TakesOtherFormatsByWayOfOnnx) {
  KENNING_NEEDS_TOOLCHAIN("iree");
  KENNING_NEEDS_TOOLCHAIN("tensorflow");
  ModelArtifact input;
  input.path =
      std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tflite/testdata/conformance.tflite";
  input.format = "tflite";
  input.spec.inputs = {{.name = "in", .shape = {kAnyDim, 8, 8, 3}}};
  input.spec.outputs = {{.name = "out", .shape = {kAnyDim, 4}}};
  const auto compiled = Compile(Defaults("tflite.vmfb"), input);
  ASSERT_TRUE(compiled) << compiled.error().ToString();
  EXPECT_EQ(compiled->spec.inputs[0].name, "in");
  EXPECT_THAT(compiled->provenance[0].notes,
              Contains(HasSubstr("output \"out\" against the original model: cosine 1.000")));
}

TEST(IreeCompilerTest, RefusesASpecificationThatIsNotTheModels) {
  KENNING_NEEDS_TOOLCHAIN("iree");
  ModelArtifact input = SmallCnn();
  input.spec.inputs[0].dtype = DType::kInt8;
  const auto compiled = Compile(Defaults("lying.vmfb"), input);
  ASSERT_FALSE(compiled);
  EXPECT_EQ(compiled.error().code(), ErrorCode::kInvalidModel);
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(testing::TempDir()) / "lying.vmfb"));
}

TEST(IreeCompilerTest, SaysWhatTheCompilerSays) {
  KENNING_NEEDS_TOOLCHAIN("iree");
  Values values = Defaults("wrong.vmfb");
  values["compiler_args"] = std::vector<std::string>{"no-such-option=1"};
  const auto compiled = Compile(values, SmallCnn());
  ASSERT_FALSE(compiled);
  EXPECT_THAT(compiled.error().message(), HasSubstr("no-such-option"));
}

}  // namespace
}  // namespace kenning::iree
