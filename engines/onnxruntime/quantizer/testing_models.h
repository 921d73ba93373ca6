// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: small ONNX models with random weights, and calibration samples.
#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "kenning/core/optimizer.h"
#include "onnx/onnx.pb.h"
#include "onnx_graph/graph.h"
#include "onnx_graph/tensors.h"

namespace kenning::quantizer::testing_models {

/// Builds a model node by node. Weights come from a fixed seed.
class Builder {
 public:
  Builder(std::vector<std::int64_t> input, std::int64_t opset = 17) {
    model_.set_ir_version(8);
    model_.add_opset_import()->set_version(opset);
    model_.mutable_graph()->set_name("g");
    Describe(model_.mutable_graph()->add_input(), "x", input);
  }

  static void Describe(onnx::ValueInfoProto* info, const std::string& name,
                       const std::vector<std::int64_t>& dims) {
    info->set_name(name);
    auto* type = info->mutable_type()->mutable_tensor_type();
    type->set_elem_type(onnx::TensorProto::FLOAT);
    for (const std::int64_t dim : dims) type->mutable_shape()->add_dim()->set_dim_value(dim);
  }

  std::string Weights(const std::string& name, const std::vector<std::int64_t>& dims,
                      float spread = 0.5F, float centre = 0.0F) {
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    std::normal_distribution<float> normal(centre, spread);
    std::vector<float> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(normal(generator_));
    *model_.mutable_graph()->add_initializer() = onnx_graph::MakeFloatTensor(name, dims, values);
    return name;
  }

  onnx::NodeProto& Node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::string& output) {
    onnx::NodeProto& node = *model_.mutable_graph()->add_node();
    node.set_op_type(op);
    node.set_name(output + "_node");
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }

  /// 3x3, padded, with a bias.
  std::string Conv(const std::string& input, const std::string& output, std::int64_t from,
                   std::int64_t to, std::int64_t group = 1) {
    onnx::NodeProto& node = Node(
        "Conv",
        {input, Weights(output + "_w", {to, from / group, 3, 3}), Weights(output + "_b", {to})},
        output);
    auto* pads = node.add_attribute();
    pads->set_name("pads");
    pads->set_type(onnx::AttributeProto::INTS);
    for (int i = 0; i < 4; ++i) pads->add_ints(1);
    onnx_graph::SetIntAttribute(node, "group", group);
    return output;
  }

  onnx::ModelProto Finish(const std::string& output, const std::vector<std::int64_t>& dims) {
    Describe(model_.mutable_graph()->add_output(), output, dims);
    return model_;
  }

 private:
  onnx::ModelProto model_;
  std::mt19937 generator_{7};
};

/// Convolution, batch normalisation, depthwise convolution, a residual sum, a classifier.
inline onnx::ModelProto SmallNetwork(std::int64_t opset = 17) {
  Builder b({1, 3, 8, 8}, opset);
  b.Conv("x", "c1", 3, 8);
  b.Node("BatchNormalization",
         {"c1", b.Weights("bn_s", {8}, 0.1F, 1.0F), b.Weights("bn_b", {8}), b.Weights("bn_m", {8}),
          b.Weights("bn_v", {8}, 0.01F, 1.0F)},
         "n1");
  b.Node("Relu", {"n1"}, "r1");
  b.Conv("r1", "c2", 8, 8, 8);
  b.Node("Relu", {"c2"}, "r2");
  b.Conv("r2", "c3", 8, 8);
  b.Node("Add", {"c3", "r1"}, "sum");
  b.Node("Relu", {"sum"}, "r3");
  b.Node("GlobalAveragePool", {"r3"}, "pooled");
  b.Node("Flatten", {"pooled"}, "flat");
  b.Node("Gemm", {"flat", b.Weights("g_w", {8, 5}), b.Weights("g_b", {5})}, "y");
  return b.Finish("y", {1, 5});
}

/// Normal random samples.
class RandomSamples final : public CalibrationView {
 public:
  RandomSamples(std::size_t size, Shape shape) : size_(size), shape_(std::move(shape)) {}
  std::size_t size() const override { return size_; }
  Result<> Get(std::size_t index, std::vector<Tensor>& out) override {
    if (size_ == 0) return Fail(ErrorCode::kFailedPrecondition, "no samples");
    out.resize(1);
    KENNING_ASSIGN_OR_RETURN(out[0], Tensor::Create(DType::kFloat32, shape_));
    std::mt19937 generator(static_cast<unsigned>(index));
    std::normal_distribution<float> normal(0.3F, 1.0F);
    for (float& value : out[0].as<float>()) value = normal(generator);
    if (poison_) out[0].as<float>()[0] = std::numeric_limits<float>::infinity();
    return {};
  }
  void Poison() { poison_ = true; }

 private:
  std::size_t size_;
  Shape shape_;
  bool poison_ = false;
};

}  // namespace kenning::quantizer::testing_models
