// SPDX-License-Identifier: Apache-2.0
#include "torch_optimizers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "onnx/onnx.pb.h"
#include "torch_runtime.h"

namespace kenning::libtorch {
namespace {

class TorchOptimizersTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
    const nlohmann::json outputs = nlohmann::json::parse(ReadFile(Data("exported.json")).value());
    reference_ = outputs.get<std::vector<float>>();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::filesystem::path Data(const std::string& name) {
    return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/libtorch/testdata" / name;
  }
  template <typename Block>
  Result<ModelArtifact> Optimize(const ModelArtifact& input, const std::string& output) {
    OptimizeContext context{.calibration = nullptr, .progress = progress_, .cancel = cancel_};
    return Block(folder_ / output).Optimize(input, context);
  }
  /// The model of exported.pt2, in whatever form, against PyTorch's own outputs.
  void ExpectReference(const std::filesystem::path& path, const std::string& format,
                       std::int64_t batch) const {
    TorchRuntime runtime(SessionSettings{.num_threads = 1}, "");
    auto loaded = runtime.Load(path, format);
    ASSERT_TRUE(loaded) << loaded.error().ToString();
    Session& session = **loaded;
    EXPECT_EQ(session.spec().inputs[0].shape, (Shape{-1, 3, 16, 16}));
    EXPECT_EQ(session.spec().outputs[0].shape, (Shape{-1, 5}));
    Tensor x = Tensor::Create(DType::kFloat32, {batch, 3, 16, 16}).value();
    constexpr std::size_t kElements = 3UL * 16 * 16;
    for (std::size_t i = 0; i < x.as<float>().size(); ++i) {
      x.as<float>()[i] = -1.0F + 2.0F * static_cast<float>(i % kElements) / (kElements - 1);
    }
    Tensor y = Tensor::Create(DType::kFloat32, {batch, 5}).value();
    const std::vector<TensorView> in = {x.view()};
    const std::vector<MutableTensorView> out = {y.mutable_view()};
    const auto invoked = session.Invoke(in, out);
    ASSERT_TRUE(invoked) << invoked.error().ToString();
    for (std::size_t i = 0; i < y.as<float>().size(); ++i) {
      EXPECT_NEAR(y.as<float>()[i], reference_[i % 5], 1e-5) << i;
    }
  }

  std::filesystem::path folder_;
  std::vector<float> reference_;
  NullProgress progress_;
  CancelToken cancel_;
};

TEST_F(TorchOptimizersTest, AnExportedProgramRunsAsItIs) {
  ExpectReference(Data("exported.pt2"), "torch_export", 1);
  ExpectReference(Data("exported.pt2"), "torch_export", 3);
}

TEST_F(TorchOptimizersTest, ThereAndBackAgain) {
  const ModelArtifact exported{.path = Data("exported.pt2"), .format = "torch_export"};
  const auto script = Optimize<TorchCompiler>(exported, "model.pt");
  ASSERT_TRUE(script) << script.error().ToString();
  EXPECT_EQ(script->format, "torchscript");
  EXPECT_EQ(script->spec.inputs[0].name, "image");
  ExpectReference(script->path, "torchscript", 2);

  for (const ModelArtifact& from : {exported, *script}) {
    const auto onnx = Optimize<OnnxExporter>(from, "model.onnx");
    ASSERT_TRUE(onnx) << onnx.error().ToString();
    EXPECT_EQ(onnx->provenance.back().block, "PyTorchONNXExporter");
    onnx::ModelProto proto;
    ASSERT_TRUE(proto.ParseFromString(ReadFile(onnx->path).value()));
    EXPECT_EQ(proto.graph().input(0).name(), "image");
    EXPECT_EQ(proto.graph().input(0).type().tensor_type().shape().dim(0).dim_param(), "batch");
    const auto again = Optimize<TorchCompiler>(*onnx, "again.pt");
    ASSERT_TRUE(again) << again.error().ToString();
    ExpectReference(again->path, "torchscript", 2);
  }
}

TEST_F(TorchOptimizersTest, WhatIsNotKnownIsNamed) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  auto* graph = model.mutable_graph();
  for (onnx::ValueInfoProto* info : {graph->add_input(), graph->add_output()}) {
    info->set_name(info == &graph->input(0) ? "x" : "y");
    auto* tensor = info->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    tensor->mutable_shape()->add_dim()->set_dim_value(2);
  }
  onnx::NodeProto* node = graph->add_node();
  node->set_op_type("Relu");
  node->add_input("x");
  node->add_output("y");
  ModelArtifact artifact{.path = folder_ / "model.onnx", .format = "onnx"};
  ASSERT_TRUE(WriteFileAtomically(artifact.path, model.SerializeAsString()));
  EXPECT_TRUE(Optimize<TorchCompiler>(artifact, "model.pt"));

  node->set_op_type("LSTM");
  node->set_name("memory");
  ASSERT_TRUE(WriteFileAtomically(artifact.path, model.SerializeAsString()));
  const auto unknown = Optimize<TorchCompiler>(artifact, "unknown.pt");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(unknown.error().message().find("LSTM"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "unknown.pt"));

  // Names and attributes of a model never become source.
  node->set_op_type("Relu");
  node->set_input(0, "x) + torch.ones(3");
  ASSERT_TRUE(WriteFileAtomically(artifact.path, model.SerializeAsString()));
  const auto hostile = Optimize<TorchCompiler>(artifact, "hostile.pt");
  ASSERT_FALSE(hostile);
  EXPECT_EQ(hostile.error().code(), ErrorCode::kInvalidModel);
}

TEST_F(TorchOptimizersTest, BrokenProgramsAreErrors) {
  const std::string good = ReadFile(Data("exported.pt2")).value();
  TorchRuntime runtime(SessionSettings{.num_threads = 1}, "");
  for (std::size_t at = 0; at < good.size(); at += 397) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x11);
    ASSERT_TRUE(WriteFileAtomically(folder_ / "bad.pt2", bytes));
    static_cast<void>(runtime.Load(folder_ / "bad.pt2", "torch_export"));
  }
}

}  // namespace
}  // namespace kenning::libtorch
