// SPDX-License-Identifier: Apache-2.0
#include "null_runtime.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"

namespace kenning::null_engine {
namespace {

std::filesystem::path WriteModel(const std::string& name, std::string_view text) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / name;
  EXPECT_TRUE(WriteFileAtomically(path, text));
  return path;
}

constexpr std::string_view kModel = R"({
  "inputs": [{"name": "x", "dtype": "float32", "shape": [-1, 3]}],
  "outputs": [{"name": "y", "dtype": "float32", "shape": [-1, 2]}]})";

TEST(NullRuntimeTest, RunsAndResolvesTheBatch) {
  NullRuntime runtime("");
  auto session = runtime.Load(WriteModel("good.null", kModel), "null");
  ASSERT_TRUE(session) << session.error().ToString();
  const std::vector<Shape> shapes = {{4, 3}};
  const auto outputs = (*session)->ResolveOutputs(shapes);
  ASSERT_TRUE(outputs);
  EXPECT_EQ(outputs->at(0).shape, (Shape{4, 2}));
  Tensor x = Tensor::Create(DType::kFloat32, {4, 3}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {4, 2}).value();
  x.as<float>()[0] = 2.5F;
  const std::vector<TensorView> in = {x.view()};
  const std::vector<MutableTensorView> out = {y.mutable_view()};
  ASSERT_TRUE((*session)->Invoke(in, out));
  EXPECT_EQ(y.as<float>()[7], 2.5F);
}

TEST(NullRuntimeTest, RefusesWrongTensors) {
  NullRuntime runtime("");
  auto session = runtime.Load(WriteModel("good.null", kModel), "null").value();
  Tensor wrong = Tensor::Create(DType::kInt8, {4, 3}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {4, 2}).value();
  const std::vector<TensorView> in = {wrong.view()};
  const std::vector<MutableTensorView> out = {y.mutable_view()};
  EXPECT_EQ(session->Invoke(in, out).error().code(), ErrorCode::kInvalidArgument);
}

TEST(NullRuntimeTest, RefusesBrokenModels) {
  NullRuntime runtime("");
  for (const std::string_view text : {"", "[]", "{", R"({"inputs": []})",
                                      R"({"inputs": [{"dtype": "float33", "shape": [1]}]})"}) {
    const auto session = runtime.Load(WriteModel("bad.null", text), "null");
    ASSERT_FALSE(session) << text;
    EXPECT_EQ(session.error().code(), ErrorCode::kInvalidModel);
  }
  EXPECT_EQ(runtime.Load(WriteModel("good.null", kModel), "onnx").error().code(),
            ErrorCode::kUnsupported);
}

TEST(NullRuntimeTest, FaultsComeOnOrderAlone) {
  NullRuntime runtime("");
  const auto model = [](const std::string& faults) {
    return R"({"inputs": [{"name": "x", "dtype": "float32", "shape": [1]}],
               "outputs": [{"name": "y", "dtype": "float32", "shape": [1]}], "faults": )" +
           faults + "}";
  };
  EXPECT_EQ(
      runtime.Load(WriteModel("bad.null", model(R"({"explode": true})")), "null").error().code(),
      ErrorCode::kInvalidModel);
  const auto path = WriteModel("fault.null", model(R"({"crash_after": 1, "call": "write /"})"));
  auto session = runtime.Load(path, "null").value();
  Tensor x = Tensor::Create(DType::kFloat32, {1}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {1}).value();
  x.as<float>()[0] = 1;
  const std::vector<TensorView> in = {x.view()};
  const std::vector<MutableTensorView> out = {y.mutable_view()};
  EXPECT_EQ(session->Invoke(in, out).error().code(), ErrorCode::kEngineFailure);
  EXPECT_DEATH(static_cast<void>(session->Invoke(in, out)), "");
}

}  // namespace
}  // namespace kenning::null_engine
