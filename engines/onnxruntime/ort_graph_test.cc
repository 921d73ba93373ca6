// SPDX-License-Identifier: Apache-2.0
#include "ort_graph.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "kenning/base/file.h"
#include "onnx_graph/tensors.h"
#include "ort_runtime.h"
#include "quantizer/testing_models.h"

namespace kenning::ort {
namespace {

namespace fs = std::filesystem;
using quantizer::testing_models::Builder;

class OrtGraphTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::path(testing::TempDir()) / ("graph-" + std::to_string(::getpid()) + ".onnx");
  }
  void TearDown() override { fs::remove(path_); }

  GraphInfo Read(const onnx::ModelProto& model) const {
    EXPECT_TRUE(WriteFileAtomically(path_, model.SerializeAsString()));
    auto info = ReadGraph(path_);
    EXPECT_TRUE(info) << info.error().ToString();
    return info ? *std::move(info) : GraphInfo{};
  }
  static const OperatorInfo& Find(const GraphInfo& info, const std::string& name) {
    const auto found = std::ranges::find(info.operators, name, &OperatorInfo::name);
    EXPECT_NE(found, info.operators.end()) << name;
    return *found;
  }

  fs::path path_;
};

void AddQuantisation(onnx::ModelProto& model, const std::string& name, float scale,
                     std::uint8_t zero_point) {
  *model.mutable_graph()->add_initializer() =
      onnx_graph::MakeFloatTensor(name + "_s", {}, {{scale}});
  *model.mutable_graph()->add_initializer() =
      onnx_graph::MakeRawTensor(name + "_z", onnx::TensorProto::UINT8, {}, &zero_point, 1);
}

/// QuantizeLinear and DequantizeLinear of an activation, added to the end of the model.
std::string Requantise(onnx::ModelProto& model, const std::string& tensor,
                       std::uint8_t zero_point) {
  AddQuantisation(model, tensor, 0.05F, zero_point);
  for (const auto& [op, from, to] :
       {std::tuple("QuantizeLinear", tensor, tensor + "_q"),
        std::tuple("DequantizeLinear", tensor + "_q", tensor + "_dq")}) {
    onnx::NodeProto& node = *model.mutable_graph()->add_node();
    node.set_op_type(op);
    node.set_name(to + "_node");
    node.add_input(from);
    node.add_input(tensor + "_s");
    node.add_input(tensor + "_z");
    node.add_output(to);
  }
  return tensor + "_dq";
}

/// int8 weights with one scale.
std::string QuantisedWeights(onnx::ModelProto& model, const std::string& name,
                             const std::vector<std::int64_t>& dims) {
  std::size_t count = 1;
  for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
  std::vector<std::int8_t> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<std::int8_t>(i * 7 % 50));
  auto* graph = model.mutable_graph();
  *graph->add_initializer() = onnx_graph::MakeRawTensor(name + "_q", onnx::TensorProto::INT8, dims,
                                                        values.data(), values.size());
  *graph->add_initializer() = onnx_graph::MakeFloatTensor(name + "_s", {}, {{0.02F}});
  onnx::NodeProto& node = *graph->add_node();
  node.set_op_type("DequantizeLinear");
  node.add_input(name + "_q");
  node.add_input(name + "_s");
  node.add_output(name);
  return name;
}

void AddConv(onnx::ModelProto& model, const std::string& input, const std::string& weights,
             const std::string& output) {
  onnx::NodeProto& node = *model.mutable_graph()->add_node();
  node.set_op_type("Conv");
  node.set_name(output + "_node");
  node.add_input(input);
  node.add_input(weights);
  node.add_output(output);
}

/// x -> int8 Conv -> Relu -> int8 Conv, whose result stays float -> Softmax.
onnx::ModelProto QuantisedNetwork(std::uint8_t relu_zero_point = 0) {
  onnx::ModelProto model = Builder({1, 3, 8, 8}).Finish("y", {1, 4, 4, 4});
  std::string x = Requantise(model, "x", 3);
  AddConv(model, x, QuantisedWeights(model, "w1", {8, 3, 3, 3}), "c1");
  onnx::NodeProto& relu = *model.mutable_graph()->add_node();
  relu.set_op_type("Relu");
  relu.set_name("r1_node");
  relu.add_input("c1");
  relu.add_output("r1");
  x = Requantise(model, "r1", relu_zero_point);
  AddConv(model, x, QuantisedWeights(model, "w2", {4, 8, 3, 3}), "c2");
  onnx::NodeProto& softmax = *model.mutable_graph()->add_node();
  softmax.set_op_type("Softmax");
  softmax.add_input("c2");
  softmax.add_output("y");
  return model;
}

TEST_F(OrtGraphTest, CountsMultiplyAddsAndBytes) {
  const GraphInfo info = Read(quantizer::testing_models::SmallNetwork());
  ASSERT_EQ(info.operators.size(), 11U);
  EXPECT_EQ(info.operators.front().name, "c1_node");
  const OperatorInfo& conv = Find(info, "c1_node");
  EXPECT_EQ(conv.op_type, "Conv");
  EXPECT_EQ(conv.dtype, DType::kFloat32);
  EXPECT_EQ(conv.macs, 8U * 8 * 8 * 3 * 9);
  EXPECT_EQ(conv.weight_bytes, (8U * 3 * 9 + 8) * 4);
  EXPECT_EQ(conv.activation_bytes, (3U * 64 + 8 * 64) * 4);
  EXPECT_EQ(conv.inputs, (std::vector<std::string>{"x", "c1_w", "c1_b"}));
  EXPECT_EQ(Find(info, "c2_node").macs, 8U * 64 * 9);  // Depthwise.
  EXPECT_EQ(Find(info, "y_node").macs, 8U * 5);
  EXPECT_EQ(Find(info, "sum_node").macs, 0U);
  EXPECT_EQ(Find(info, "sum_node").activation_bytes, 3U * 8 * 64 * 4);
}

TEST_F(OrtGraphTest, OtherProductsAreCounted) {
  Builder b({2, 6, 5});
  b.Node("MatMul", {"x", b.Weights("m", {5, 7})}, "p");
  b.Node("Transpose", {"p"}, "t");
  b.Node("ConvTranspose", {"t", b.Weights("d", {6, 4, 3})}, "y");
  const GraphInfo info = Read(b.Finish("y", {7, 4, 4}));
  EXPECT_EQ(Find(info, "p_node").macs, 2U * 6 * 7 * 5);
  // Each of 7 * 6 * 2 inputs meets 4 filters of 3.
  EXPECT_EQ(Find(info, "y_node").macs, 7U * 6 * 2 * 4 * 3);
}

TEST_F(OrtGraphTest, DynamicBatchesCountAsOne) {
  onnx::ModelProto model = quantizer::testing_models::SmallNetwork();
  for (auto* value :
       {model.mutable_graph()->mutable_input(0), model.mutable_graph()->mutable_output(0)}) {
    value->mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim(0)->set_dim_param(
        "N");
  }
  const GraphInfo info = Read(model);
  EXPECT_EQ(Find(info, "c1_node").macs, 8U * 8 * 8 * 3 * 9);
}

TEST_F(OrtGraphTest, OperatorsBetweenDequantizeAndQuantizeAreInt8) {
  const GraphInfo info = Read(QuantisedNetwork());
  EXPECT_EQ(Find(info, "c1_node").dtype, DType::kInt8);
  EXPECT_EQ(Find(info, "r1_node").dtype, DType::kInt8);
  EXPECT_EQ(Find(info, "c2_node").dtype, DType::kFloat32);  // Nothing quantises its result.
  EXPECT_EQ(Find(info, "y").dtype, DType::kFloat32);
  EXPECT_EQ(Find(info, "x_q_node").dtype, DType::kFloat32);
  EXPECT_EQ(Find(info, "r1_dq_node").dtype, DType::kUint8);
  EXPECT_EQ(Find(info, "c1_node").macs, 8U * 36 * 27);
  // int8 weights and their scale; what dequantises them is no operator of the model.
  EXPECT_EQ(Find(info, "c1_node").weight_bytes, 8U * 27 + 4);
  EXPECT_EQ(Find(info, "c1_node").activation_bytes, 3U * 64 + 8 * 36);
  EXPECT_EQ(info.operators.size(), 8U);
}

TEST_F(OrtGraphTest, AReluThatQuantisingDoesNotReplaceKeepsItsConvolutionInFloat) {
  const GraphInfo info = Read(QuantisedNetwork(7));
  EXPECT_EQ(Find(info, "c1_node").dtype, DType::kFloat32);
}

TEST_F(OrtGraphTest, BrokenFilesAreErrors) {
  ASSERT_TRUE(WriteFileAtomically(path_, "no model"));
  EXPECT_EQ(ReadGraph(path_).error().code(), ErrorCode::kInvalidModel);
  fs::remove(path_);
  EXPECT_EQ(ReadGraph(path_).error().code(), ErrorCode::kNotFound);
}

TEST_F(OrtGraphTest, ShowsTheTensorsInside) {
  ASSERT_TRUE(WriteFileAtomically(path_, QuantisedNetwork().SerializeAsString()));
  OnnxRuntime runtime(SessionSettings{.num_threads = 1}, "");
  auto session = runtime.Load(path_, "onnx");
  ASSERT_TRUE(session) << session.error().ToString();
  Tensor x = Tensor::Create(DType::kFloat32, {1, 3, 8, 8}).value();
  float value = 0;
  for (float& element : x.as<float>()) element = value += 0.02F;
  const std::vector<TensorView> in = {x.view()};
  const auto inside = (*session)->Intermediates(in);
  ASSERT_TRUE(inside) << inside.error().ToString();
  std::vector<std::string> names;
  for (const NamedTensor& tensor : *inside) names.push_back(tensor.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"x_q", "x_dq", "c1", "r1", "r1_q", "r1_dq", "c2", "y"}));
  const NamedTensor& quantised = inside->front();
  EXPECT_EQ(quantised.value.dtype(), DType::kUint8);
  ASSERT_TRUE(quantised.quant);
  EXPECT_EQ(quantised.quant->scale, std::vector<float>{0.05F});
  EXPECT_EQ(quantised.quant->zero_point, std::vector<std::int64_t>{3});
  EXPECT_FALSE(inside->at(1).quant);

  Tensor y = Tensor::Create(DType::kFloat32, {1, 4, 4, 4}).value();
  ASSERT_TRUE((*session)->Invoke(in, std::vector<MutableTensorView>{y.mutable_view()}));
  for (std::size_t i = 0; i < y.as<float>().size(); ++i) {
    EXPECT_NEAR(inside->back().value.as<float>()[i], y.as<float>()[i], 0.02);
  }
  EXPECT_EQ((*session)->Intermediates({}).error().code(), ErrorCode::kInvalidArgument);
  std::vector<TensorView> lying = in;
  lying[0].size_bytes -= 4;
  EXPECT_EQ((*session)->Intermediates(lying).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(OrtGraphTest, ProfilesNameTypeAndProvider) {
  ASSERT_TRUE(WriteFileAtomically(path_, QuantisedNetwork().SerializeAsString()));
  OnnxRuntime runtime(SessionSettings{.num_threads = 1, .profiling = true}, "");
  auto session = runtime.Load(path_, "onnx").value();
  Tensor x = Tensor::Create(DType::kFloat32, {1, 3, 8, 8}).value();
  std::ranges::fill(x.as<float>(), 0.5F);
  Tensor y = Tensor::Create(DType::kFloat32, {1, 4, 4, 4}).value();
  ASSERT_TRUE(session->Invoke(std::vector<TensorView>{x.view()},
                              std::vector<MutableTensorView>{y.mutable_view()}));
  const auto profile = session->Profile();
  ASSERT_TRUE(profile) << profile.error().ToString();
  std::map<std::string, std::string> types;
  for (const OperatorProfile& entry : *profile) {
    EXPECT_EQ(entry.kernel, "CPUExecutionProvider") << entry.name;
    types[entry.op_type] = entry.dtype;
  }
  EXPECT_EQ(types["QLinearConv"], "int8");
  EXPECT_EQ(types["Softmax"], "float32");
}

}  // namespace
}  // namespace kenning::ort
