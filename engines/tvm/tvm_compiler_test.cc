// SPDX-License-Identifier: Apache-2.0
#include "tvm_compiler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "kenning/base/file.h"
#include "kenning/registry/registry.h"
#include "kenning/toolchain/toolchain.h"
#include "tvm_runtime.h"

namespace kenning {
void RegisterTvmEngine(Registry& registry);
}

namespace kenning::tvm_engine {
namespace {

namespace fs = std::filesystem;

Params CompilerParams(const fs::path& output,
                      std::map<std::string, ParamValue, std::less<>> given = {}) {
  Registry registry;
  RegisterTvmEngine(registry);
  std::map<std::string, ParamValue, std::less<>> values;
  const BlockInfo* info = registry.Find(BlockCategory::kOptimizer, "TVMCompiler").value();
  for (const ParamSpec& param : info->schema.params) {
    if (param.default_value) values[param.name] = *param.default_value;
  }
  values["compiled_model_path"] = output.string();
  for (auto& [name, value] : given) values[name] = value;
  return Params(std::move(values));
}

ErrorCode RefusalOf(const fs::path& output, std::map<std::string, ParamValue, std::less<>> given) {
  const auto made = TvmCompiler::Make(CompilerParams(output, std::move(given)));
  EXPECT_FALSE(made);
  return made ? ErrorCode::kInternal : made.error().code();
}

TEST(TvmCompilerTest, KenningsDottedPathsFindIt) {
  Registry registry;
  RegisterTvmEngine(registry);
  EXPECT_TRUE(registry.Find(BlockCategory::kOptimizer, "kenning.compilers.tvm.TVMCompiler"));
  EXPECT_TRUE(registry.Find(BlockCategory::kOptimizer, "kenning.optimizers.tvm.TVMCompiler"));
  EXPECT_TRUE(registry.Find(BlockCategory::kRuntime, "kenning.runtimes.tvm.TVMRuntime"));
}

TEST(TvmCompilerTest, WhatTvmNoLongerHasIsRefused) {
  EXPECT_TRUE(TvmCompiler::Make(CompilerParams("m.tar")));
  EXPECT_EQ(RefusalOf("m.bin", {}), ErrorCode::kInvalidScenario);
  for (const char* flag : {"use_fp16_precision", "use_int8_precision", "use_tensorrt"}) {
    EXPECT_EQ(RefusalOf("m.tar", {{flag, true}}), ErrorCode::kUnsupported) << flag;
  }
  EXPECT_EQ(RefusalOf("m.tar", {{"target_microtvm_board", std::string("board")}}),
            ErrorCode::kUnsupported);
  EXPECT_EQ(RefusalOf("m.tar", {{"model_framework", std::string("darknet")}}),
            ErrorCode::kUnsupported);
}

class CompileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto info = FindToolchain("tvm");
    if (!info) GTEST_SKIP() << info.error().ToString();
    if (!ToolchainInstalled(*info)) GTEST_SKIP() << ToolchainMissing(*info).message();
    folder_ = fs::path(testing::TempDir()) / ("tvm-compile-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    model_.path = fs::path(KENNING_SOURCE_DIR) / "engines/tvm/testdata/conformance.onnx";
    model_.format = "onnx";
    model_.spec.inputs = {{.name = "input", .shape = {1, 1, 6, 6}, .layout = "NCHW"}};
    model_.spec.outputs = {{.name = "output", .shape = {1, 3}, .class_names = {"a", "b", "c"}}};
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  Result<ModelArtifact> Compile(std::map<std::string, ParamValue, std::less<>> given) {
    given.insert({"tuning_database", (folder_ / "db").string()});
    given.insert({"tuning_trials", std::int64_t{4}});
    auto compiler = TvmCompiler::Make(CompilerParams(folder_ / "m.tar", std::move(given)));
    EXPECT_TRUE(compiler) << compiler.error().ToString();
    NullProgress progress;
    CancelToken cancel;
    OptimizeContext context{nullptr, progress, cancel};
    return (*compiler)->Optimize(model_, context);
  }
  static std::vector<float> Run(const fs::path& path) {
    TvmRuntime runtime({.num_threads = 1}, {});
    const auto session = runtime.Load(path, "tvm").value();
    Tensor input = Tensor::Create(DType::kFloat32, {1, 1, 6, 6}).value();
    for (std::size_t i = 0; i < 36; ++i) input.as<float>()[i] = 0.02F * static_cast<float>(i);
    Tensor output = Tensor::Create(DType::kFloat32, {1, 3}).value();
    const std::vector<TensorView> in = {input.view()};
    const std::vector<MutableTensorView> out = {output.mutable_view()};
    EXPECT_TRUE(session->Invoke(in, out));
    return {output.as<float>().begin(), output.as<float>().end()};
  }

  fs::path folder_;
  ModelArtifact model_;
};

TEST_F(CompileTest, TunesRunsAndSaysWhatItBought) {
  const auto made = Compile({{"target", std::string("llvm -mcpu=x86-64-v2")}});
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_EQ(made->format, "tvm");
  EXPECT_EQ(made->spec.outputs.at(0).class_names.size(), 3U);
  EXPECT_EQ(made->spec.inputs.at(0).layout, "NCHW");
  ASSERT_FALSE(made->provenance.empty());
  const ProvenanceStep& step = made->provenance.back();
  ASSERT_FALSE(step.notes.empty());
  EXPECT_NE(step.notes[0].find("tuning bought"), std::string::npos) << step.notes[0];
  const std::vector<float> tuned = Run(made->path);
  const std::vector<float> shipped =
      Run(fs::path(KENNING_SOURCE_DIR) / "engines/tvm/testdata/conformance.tar");
  for (std::size_t i = 0; i < tuned.size(); ++i) EXPECT_NEAR(tuned[i], shipped[i], 1e-5);
  // The second time, everything is known.
  const auto again = Compile({{"target", std::string("llvm -mcpu=x86-64-v2")}});
  ASSERT_TRUE(again) << again.error().ToString();
  EXPECT_NE(again->provenance.back().notes[0].find(" 0 trials"), std::string::npos);
}

TEST_F(CompileTest, UntunedIsNamedUntuned) {
  const auto made = Compile({{"tuning", std::string("off")}});
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_NE(made->provenance.back().notes.at(0).find("tuning is off"), std::string::npos);
}

TEST_F(CompileTest, QuantisedModelsStayInIntegers) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  model_.path = fs::path(corpus) / "cifar10-resnet20/resnet20_int8.onnx";
  model_.spec = {};
  const auto made = Compile(
      {{"target", std::string("llvm -mcpu=core-avx2")}, {"tuning_time_s", std::int64_t{1}}});
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_LT(made->size_bytes, 600'000U);  // With weights of four bytes it would be 1.1 MB.
  bool integers = false;
  bool named = false;
  for (const std::string& note : made->provenance.back().notes) {
    integers = integers || note == "19 convolutions computed in int8";
    named = named || note.starts_with("NOT TUNED for want of time");
  }
  EXPECT_TRUE(integers);
  EXPECT_TRUE(named);
}

TEST_F(CompileTest, BadTargetsAndModelsAreNamed) {
  const auto cuda = Compile({{"target", std::string("cuda")}});
  ASSERT_FALSE(cuda);
  EXPECT_EQ(cuda.error().code(), ErrorCode::kUnsupported) << cuda.error().ToString();
  model_.path = folder_ / "broken.onnx";
  ASSERT_TRUE(WriteFileAtomically(model_.path, "no model"));
  const auto broken = Compile({});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code(), ErrorCode::kInvalidModel) << broken.error().ToString();
}

}  // namespace
}  // namespace kenning::tvm_engine
