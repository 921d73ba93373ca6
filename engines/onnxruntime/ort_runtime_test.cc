// SPDX-License-Identifier: Apache-2.0
#include "ort_runtime.h"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "kenning/base/file.h"
#include "onnx/onnx.pb.h"

namespace kenning::ort {
namespace {

void AddTensor(onnx::ValueInfoProto* value, const std::string& name,
               const std::vector<std::int64_t>& shape) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      tensor->mutable_shape()->add_dim()->set_dim_param("N");
    } else {
      tensor->mutable_shape()->add_dim()->set_dim_value(dim);
    }
  }
}

/// y = x + [10, 20, 30], x float32[N, 3].
onnx::ModelProto AddModel() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto* graph = model.mutable_graph();
  graph->set_name("add");
  AddTensor(graph->add_input(), "x", {-1, 3});
  AddTensor(graph->add_output(), "y", {-1, 3});
  onnx::TensorProto* constant = graph->add_initializer();
  constant->set_name("c");
  constant->set_data_type(onnx::TensorProto::FLOAT);
  constant->add_dims(3);
  for (const float value : {10.0F, 20.0F, 30.0F}) constant->add_float_data(value);
  onnx::NodeProto* node = graph->add_node();
  node->set_op_type("Add");
  node->set_name("add0");
  node->add_input("x");
  node->add_input("c");
  node->add_output("y");
  return model;
}

class OrtRuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path Write(const std::string& name, const std::string& bytes) const {
    EXPECT_TRUE(WriteFileAtomically(folder_ / name, bytes));
    return folder_ / name;
  }
  std::filesystem::path WriteAddModel() const {
    return Write("add.onnx", AddModel().SerializeAsString());
  }
  std::filesystem::path folder_;
  OnnxRuntime runtime_{SessionSettings{.num_threads = 1}, ""};
};

TEST_F(OrtRuntimeTest, SpecIsTruthfulAndInvokeComputes) {
  auto session = runtime_.Load(WriteAddModel(), "onnx");
  ASSERT_TRUE(session) << session.error().ToString();
  EXPECT_EQ((*session)->spec().inputs[0].shape, (Shape{kAnyDim, 3}));
  EXPECT_EQ((*session)->spec().inputs[0].name, "x");
  const std::vector<Shape> shapes = {{2, 3}};
  EXPECT_EQ((*session)->ResolveOutputs(shapes).value()[0].shape, (Shape{2, 3}));
  Tensor x = Tensor::Create(DType::kFloat32, {2, 3}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {2, 3}).value();
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < 6; ++i) x.as<float>()[i] = static_cast<float>(round) + 1;
    const std::vector<TensorView> in = {x.view()};
    const std::vector<MutableTensorView> out = {y.mutable_view()};
    ASSERT_TRUE((*session)->Invoke(in, out));
    EXPECT_EQ(y.as<float>()[5], 31.0F + static_cast<float>(round));
  }
}

TEST_F(OrtRuntimeTest, WrongTensorsAreRefused) {
  auto session = runtime_.Load(WriteAddModel(), "onnx").value();
  Tensor x = Tensor::Create(DType::kFloat32, {2, 3}).value();
  Tensor wide = Tensor::Create(DType::kFloat32, {2, 4}).value();
  Tensor integer = Tensor::Create(DType::kInt32, {2, 3}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {2, 3}).value();
  const std::vector<MutableTensorView> out = {y.mutable_view()};
  for (const Tensor* wrong : {&wide, &integer}) {
    const std::vector<TensorView> in = {wrong->view()};
    const auto result = session->Invoke(in, out);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidArgument);
    EXPECT_NE(result.error().message().find("\"x\""), std::string::npos);
  }
  TensorView lying = x.view();
  lying.size_bytes -= 4;
  EXPECT_FALSE(session->Invoke(std::vector<TensorView>{lying}, out));
  EXPECT_FALSE(session->Invoke({}, out));
  // An output of a shape that the engine does not give is an error, not an overrun.
  Tensor small = Tensor::Create(DType::kFloat32, {1, 3}).value();
  const std::vector<MutableTensorView> small_out = {small.mutable_view()};
  const std::vector<TensorView> in = {x.view()};
  EXPECT_FALSE(session->Invoke(in, small_out));
  EXPECT_TRUE(session->Invoke(in, out));
}

TEST_F(OrtRuntimeTest, BrokenModelsAreNamedErrors) {
  const std::string good = AddModel().SerializeAsString();
  onnx::ModelProto future = AddModel();
  future.mutable_opset_import(0)->set_version(9999);
  onnx::ModelProto unknown = AddModel();
  unknown.mutable_graph()->mutable_node(0)->set_op_type("NoSuchOperator");
  const std::vector<std::string> broken = {"",
                                           good.substr(0, good.size() / 2),
                                           std::string(100, '\xff'),
                                           "<!DOCTYPE html><html>",
                                           future.SerializeAsString(),
                                           unknown.SerializeAsString()};
  for (std::size_t i = 0; i < broken.size(); ++i) {
    const auto session = runtime_.Load(Write("broken.onnx", broken[i]), "onnx");
    ASSERT_FALSE(session) << i;
    EXPECT_NE(session.error().ToString().find("broken.onnx"), std::string::npos) << i;
  }
  EXPECT_EQ(runtime_.Load(folder_ / "missing.onnx", "onnx").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(runtime_.Load(WriteAddModel(), "tflite").error().code(), ErrorCode::kUnsupported);
}

TEST_F(OrtRuntimeTest, ExternalDataOutsideTheFolderIsRefused) {
  Write("secret.bin", std::string(12, '\0'));
  std::filesystem::create_directories(folder_ / "models");
  for (const std::string& location :
       {std::string("../secret.bin"), (folder_ / "secret.bin").string()}) {
    onnx::ModelProto model = AddModel();
    onnx::TensorProto* tensor = model.mutable_graph()->mutable_initializer(0);
    tensor->clear_float_data();
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    onnx::StringStringEntryProto* entry = tensor->add_external_data();
    entry->set_key("location");
    entry->set_value(location);
    const auto session = runtime_.Load(Write("models/m.onnx", model.SerializeAsString()), "onnx");
    ASSERT_FALSE(session) << location;
    EXPECT_EQ(session.error().code(), ErrorCode::kInvalidModel);
  }
}

TEST_F(OrtRuntimeTest, UnknownProviderSaysWhichThereAre) {
  OnnxRuntime runtime(SessionSettings{.execution_providers = {"CUDAExecutionProvider"}}, "");
  const auto session = runtime.Load(WriteAddModel(), "onnx");
  if (session) GTEST_SKIP() << "this build has CUDA";
  EXPECT_EQ(session.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(session.error().message().find("CPUExecutionProvider"), std::string::npos);
}

TEST_F(OrtRuntimeTest, ProfilesOperators) {
  OnnxRuntime runtime(SessionSettings{.num_threads = 1, .profiling = true}, "");
  auto session = runtime.Load(WriteAddModel(), "onnx").value();
  Tensor x = Tensor::Create(DType::kFloat32, {2, 3}).value();
  Tensor y = Tensor::Create(DType::kFloat32, {2, 3}).value();
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(session->Invoke(std::vector<TensorView>{x.view()},
                                std::vector<MutableTensorView>{y.mutable_view()}));
  }
  const auto profile = session->Profile();
  ASSERT_TRUE(profile) << profile.error().ToString();
  ASSERT_EQ(profile->size(), 1U);
  EXPECT_EQ(profile->at(0).op_type, "Add");
  EXPECT_EQ(profile->at(0).calls, 4U);
}

TEST_F(OrtRuntimeTest, TwoSessionsRunSideBySide) {
  const std::filesystem::path path = WriteAddModel();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      OnnxRuntime runtime(SessionSettings{.num_threads = 1}, "");
      auto session = runtime.Load(path, "onnx").value();
      Tensor x = Tensor::Create(DType::kFloat32, {1, 3}).value();
      Tensor y = Tensor::Create(DType::kFloat32, {1, 3}).value();
      for (int i = 0; i < 100; ++i) {
        x.as<float>()[0] = static_cast<float>(i * (t + 1));
        const auto ok = session->Invoke(std::vector<TensorView>{x.view()},
                                        std::vector<MutableTensorView>{y.mutable_view()});
        if (ok && y.as<float>()[0] == static_cast<float>(i * (t + 1) + 10)) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

}  // namespace
}  // namespace kenning::ort
