// SPDX-License-Identifier: Apache-2.0
#include "iree_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "iree_session.h"
#include "kenning/base/file.h"
#include "module_spec.h"

namespace kenning::iree {
namespace {

using testing::HasSubstr;

std::filesystem::path Data(const std::string& name) {
  return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/iree/testdata" / name;
}

std::unique_ptr<Session> LoadOrDie(const std::string& name, const DeviceSettings& settings) {
  auto session = IreeRuntime(settings, "").Load(Data(name), "iree");
  EXPECT_TRUE(session) << session.error().ToString();
  return session ? *std::move(session) : nullptr;
}

nlohmann::json Facts() {
  return nlohmann::json::parse(
      ReadFile(std::filesystem::path(KENNING_SOURCE_DIR) / "engines/iree/conformance.json")
          .value())[0];
}

TEST(IreeRuntimeTest, EveryDriverAndBackendGivesTheSame) {
  const nlohmann::json facts = Facts();
  const auto image = facts["inputs"][0].get<std::vector<float>>();
  const auto scores = facts["outputs"][0].get<std::vector<float>>();
  for (const char* model : {"conformance.vmfb", "portable.vmfb"}) {
    for (const DeviceSettings& settings :
         {DeviceSettings{"local-sync", 0}, DeviceSettings{"local-task", 2}, DeviceSettings{"", 0},
          DeviceSettings{"", 1}}) {
      const auto session = LoadOrDie(model, settings);
      ASSERT_NE(session, nullptr);
      Tensor in = Tensor::Create(DType::kFloat32, {1, 3, 8, 8}).value();
      Tensor out = Tensor::Create(DType::kFloat32, {1, 5}).value();
      std::copy(image.begin(), image.end(), in.as<float>().begin());
      const std::vector<TensorView> inputs = {in.view()};
      const std::vector<MutableTensorView> outputs = {out.mutable_view()};
      const auto done = session->Invoke(inputs, outputs);
      ASSERT_TRUE(done) << done.error().ToString();
      for (std::size_t i = 0; i < scores.size(); ++i) {
        EXPECT_NEAR(out.as<float>()[i], scores[i], 1e-5) << model;
      }
    }
  }
}

TEST(IreeRuntimeTest, TellsTheNamesThatTheCompilerStored) {
  const ModelSpec spec = IreeSession::Inspect(Data("portable.vmfb")).value();
  ASSERT_EQ(spec.inputs.size(), 1U);
  EXPECT_EQ(spec.inputs[0].name, "image");
  EXPECT_EQ(ToString(spec.inputs[0]), "float32[1, 3, 8, 8]");
  EXPECT_EQ(spec.inputs[0].layout, "NCHW");
  EXPECT_EQ(ToString(spec.outputs.at(0)), "float32[1, 5]");
}

TEST(IreeRuntimeTest, TakesInputsAtAnyAddress) {
  const auto session = LoadOrDie("declared.vmfb", {"local-sync", 0});
  alignas(64) float x[5] = {0, 1, 2, 3, 4};
  alignas(64) std::int8_t b[13] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const Shape x_shape = {1, 4};
  const Shape b_shape = {3, 4};
  Tensor y = Tensor::Create(DType::kFloat32, x_shape).value();
  Tensor z = Tensor::Create(DType::kInt8, b_shape).value();
  const std::vector<TensorView> inputs = {
      {reinterpret_cast<const std::byte*>(x + 1), 16, DType::kFloat32, x_shape},
      {reinterpret_cast<const std::byte*>(b + 1), 12, DType::kInt8, b_shape}};
  const std::vector<MutableTensorView> outputs = {y.mutable_view(), z.mutable_view()};
  for (int round = 0; round < 2; ++round) {
    const auto done = session->Invoke(inputs, outputs);
    ASSERT_TRUE(done) << done.error().ToString();
    EXPECT_EQ(y.as<float>()[3], 2 * x[4]);
    EXPECT_EQ(z.as<std::int8_t>()[11], 24);
    x[4] += 1;
  }
}

TEST(IreeRuntimeTest, ReadsIreesOwnDeclarationAndResolvesShapes) {
  const auto session = LoadOrDie("declared.vmfb", {});
  const ModelSpec& spec = session->spec();
  ASSERT_EQ(spec.inputs.size(), 2U);
  EXPECT_EQ(ToString(spec.inputs[1]), "int8[-1, 4]");
  EXPECT_EQ(spec.outputs.at(1).name, "output1");
  const std::vector<Shape> shapes = {{1, 4}, {6, 4}};
  const auto resolved = session->ResolveOutputs(shapes);
  ASSERT_TRUE(resolved) << resolved.error().ToString();
  EXPECT_EQ(resolved->at(1).shape, (Shape{6, 4}));
  const std::vector<Shape> few = {{1, 4}};
  EXPECT_EQ(session->ResolveOutputs(few).error().code(), ErrorCode::kInvalidArgument);
}

TEST(IreeRuntimeTest, RefusesAnOutputOfAnotherShape) {
  const auto session = LoadOrDie("declared.vmfb", {});
  Tensor x = Tensor::Create(DType::kFloat32, {1, 4}).value();
  Tensor b = Tensor::Create(DType::kInt8, {3, 4}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {1, 4}).value();
  Tensor z = Tensor::Create(DType::kInt8, {2, 4}).value();
  const std::vector<TensorView> inputs = {x.view(), b.view()};
  const std::vector<MutableTensorView> outputs = {y.mutable_view(), z.mutable_view()};
  EXPECT_EQ(session->Invoke(inputs, outputs).error().code(), ErrorCode::kInvalidArgument);
}

TEST(IreeRuntimeTest, ParsesDeclarations) {
  const ModelSpec spec = ParseDeclaration(
                             "sync func @f(%input0: tensor<f32>, %input1: tensor<2x?xui8> {a.b = "
                             "1}) -> (%output0: tensor<?x3xbf16>)")
                             .value();
  ASSERT_EQ(spec.inputs.size(), 2U);
  EXPECT_EQ(ToString(spec.inputs[0]), "float32[]");
  EXPECT_EQ(ToString(spec.inputs[1]), "uint8[2, -1]");
  EXPECT_EQ(ToString(spec.outputs.at(0)), "bfloat16[-1, 3]");
  for (const char* text :
       {"", "()", "f(%a: tensor<4xf32>)", "f(%a: tensor<4xf31>) -> (%b: tensor<4xf32>)",
        "f(%a: i32) -> (%b: tensor<4xf32>)", "f(%a: tensor<4x) -> (%b>)",
        "f(%a: tensor<99999999999999999999xf32>) -> (%b: tensor<4xf32>)"}) {
    EXPECT_FALSE(ParseDeclaration(text)) << text;
  }
}

TEST(IreeRuntimeTest, RefusesDriversOfGpus) {
  std::map<std::string, ParamValue, std::less<>> values = {{"driver", std::string("cuda")},
                                                           {"num_threads", std::int64_t{0}}};
  const auto runtime = IreeRuntime::Make(Params(std::move(values)));
  ASSERT_FALSE(runtime);
  EXPECT_EQ(runtime.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(runtime.error().message(), HasSubstr("local-task"));
}

TEST(IreeRuntimeTest, RefusesChangedModulesWithoutACrash) {
  const std::string whole = ReadFile(Data("conformance.vmfb")).value();
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "changed.vmfb";
  IreeRuntime runtime({"local-sync", 0}, "");
  for (std::size_t at = 0; at < whole.size(); at += 331) {
    std::string changed = whole;
    changed[at] = static_cast<char>(~changed[at]);
    ASSERT_TRUE(WriteFileAtomically(path, changed));
    const auto session = runtime.Load(path, "iree");
    EXPECT_TRUE(session || !session.error().message().empty());
  }
}

}  // namespace
}  // namespace kenning::iree
