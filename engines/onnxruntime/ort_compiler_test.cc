// SPDX-License-Identifier: Apache-2.0
#include "ort_compiler.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"
#include "onnx/onnx.pb.h"
#include "ort_fp16.h"
#include "ort_runtime.h"

namespace kenning::ort {
namespace {

void AddValue(onnx::ValueInfoProto* value, const std::string& name) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  tensor->mutable_shape()->add_dim()->set_dim_value(1);
  tensor->mutable_shape()->add_dim()->set_dim_value(4);
}

onnx::NodeProto* AddNode(onnx::GraphProto* graph, const std::string& op,
                         const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto* node = graph->add_node();
  node->set_op_type(op);
  node->set_name(op + "_" + output);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  return node;
}

/// y = relu(identity(x) + w)
onnx::ModelProto SmallModel(float weight) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto* graph = model.mutable_graph();
  graph->set_name("small");
  AddValue(graph->add_input(), "x");
  AddValue(graph->add_output(), "y");
  onnx::TensorProto* tensor = graph->add_initializer();
  tensor->set_name("w");
  tensor->set_data_type(onnx::TensorProto::FLOAT);
  tensor->add_dims(4);
  for (int i = 0; i < 4; ++i) tensor->add_float_data(weight * static_cast<float>(i - 1));
  AddNode(graph, "Identity", {"x"}, "a");
  AddNode(graph, "Add", {"a", "w"}, "b");
  AddNode(graph, "Relu", {"b"}, "y");
  return model;
}

class OrtCompilerTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<ModelArtifact> Compile(const onnx::ModelProto& model, bool float16) {
    const std::filesystem::path path = folder_ / "in.onnx";
    EXPECT_TRUE(WriteFileAtomically(path, model.SerializeAsString()));
    OnnxCompiler compiler({.output_path = folder_ / "out" / "model.onnx", .float16 = float16});
    NullProgress progress;
    const CancelToken cancel;
    OptimizeContext context{nullptr, progress, cancel};
    ModelArtifact input;
    input.path = path;
    input.format = "onnx";
    return compiler.Optimize(input, context);
  }

  static std::vector<float> Run(const std::filesystem::path& path) {
    OnnxRuntime runtime(SessionSettings{.num_threads = 1}, "");
    auto session = runtime.Load(path, "onnx");
    EXPECT_TRUE(session) << session.error().ToString();
    Tensor x = Tensor::Create(DType::kFloat32, {1, 4}).value();
    Tensor y = Tensor::Create(DType::kFloat32, {1, 4}).value();
    for (std::size_t i = 0; i < 4; ++i) x.as<float>()[i] = 0.5F;
    const auto result = (*session)->Invoke(std::vector<TensorView>{x.view()},
                                           std::vector<MutableTensorView>{y.mutable_view()});
    EXPECT_TRUE(result) << result.error().ToString();
    return {y.as<float>().begin(), y.as<float>().end()};
  }
  std::filesystem::path folder_;
};

TEST_F(OrtCompilerTest, RemovesNodesAndKeepsResults) {
  const auto artifact = Compile(SmallModel(0.1F), false);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  onnx::ModelProto compiled;
  ASSERT_TRUE(compiled.ParseFromString(ReadFile(artifact->path).value()));
  EXPECT_EQ(compiled.graph().node_size(), 2);
  EXPECT_EQ(artifact->sha256, Sha256OfFile(artifact->path).value());
  EXPECT_EQ(artifact->provenance.back().block, "ONNXCompiler");
  const std::vector<float> y = Run(artifact->path);
  EXPECT_NEAR(y[0], 0.4F, 1e-6F);
  EXPECT_NEAR(y[3], 0.7F, 1e-6F);
}

TEST_F(OrtCompilerTest, Float16KeepsFloatBordersAndAgrees) {
  const auto artifact = Compile(SmallModel(0.1F), true);
  ASSERT_TRUE(artifact) << artifact.error().ToString();
  EXPECT_EQ(artifact->spec.inputs[0].dtype, DType::kFloat32);
  onnx::ModelProto compiled;
  ASSERT_TRUE(compiled.ParseFromString(ReadFile(artifact->path).value()));
  EXPECT_EQ(compiled.graph().initializer(0).data_type(), onnx::TensorProto::FLOAT16);
  const std::vector<float> y = Run(artifact->path);
  EXPECT_NEAR(y[0], 0.4F, 1e-3F);
  EXPECT_NEAR(y[3], 0.7F, 1e-3F);
}

TEST_F(OrtCompilerTest, Float16RefusesWhatItCannotHold) {
  const auto huge = Compile(SmallModel(1e6F), true);
  ASSERT_FALSE(huge);
  EXPECT_EQ(huge.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(huge.error().message().find("\"w\""), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out" / "model.onnx"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out"));
}

}  // namespace
}  // namespace kenning::ort
