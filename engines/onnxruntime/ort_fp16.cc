// SPDX-License-Identifier: Apache-2.0
#include "ort_fp16.h"

#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>

#include <array>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

namespace kenning::ort {
namespace {

constexpr float kLargestHalf = 65504.0F;
constexpr float kSmallestNormalHalf = 6.104e-5F;

/// Operators whose every float input and output may be float16.
const std::unordered_set<std::string>& Float16Operators() {
  static const std::unordered_set<std::string> operators = {"Abs",
                                                            "Add",
                                                            "AveragePool",
                                                            "BatchNormalization",
                                                            "Cast",
                                                            "Clip",
                                                            "Concat",
                                                            "Constant",
                                                            "Conv",
                                                            "ConvTranspose",
                                                            "Div",
                                                            "Dropout",
                                                            "Elu",
                                                            "Erf",
                                                            "Exp",
                                                            "Expand",
                                                            "Flatten",
                                                            "Gather",
                                                            "Gemm",
                                                            "GlobalAveragePool",
                                                            "GlobalMaxPool",
                                                            "HardSigmoid",
                                                            "HardSwish",
                                                            "Identity",
                                                            "InstanceNormalization",
                                                            "LayerNormalization",
                                                            "LeakyRelu",
                                                            "Log",
                                                            "LogSoftmax",
                                                            "MatMul",
                                                            "Max",
                                                            "MaxPool",
                                                            "Min",
                                                            "Mul",
                                                            "Neg",
                                                            "PRelu",
                                                            "Pad",
                                                            "Pow",
                                                            "ReduceMax",
                                                            "ReduceMean",
                                                            "ReduceMin",
                                                            "ReduceSum",
                                                            "Relu",
                                                            "Reshape",
                                                            "Resize",
                                                            "Selu",
                                                            "Shape",
                                                            "Sigmoid",
                                                            "Slice",
                                                            "Softmax",
                                                            "Softplus",
                                                            "Split",
                                                            "Sqrt",
                                                            "Squeeze",
                                                            "Sub",
                                                            "Tanh",
                                                            "Transpose",
                                                            "Unsqueeze",
                                                            "Where"};
  return operators;
}

Result<> CheckOperators(const onnx::GraphProto& graph) {
  for (const onnx::NodeProto& node : graph.node()) {
    const bool standard = node.domain().empty() || node.domain() == "ai.onnx";
    if (node.op_type() == "QuantizeLinear" || node.op_type() == "DequantizeLinear") {
      return Fail(ErrorCode::kUnsupported,
                  "the model is already quantised; float16 applies to float32 models");
    }
    if (!standard || !Float16Operators().contains(node.op_type())) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("operator {} (node \"{}\") has no known float16 form; keep "
                              "precision float32",
                              node.op_type(), node.name()));
    }
  }
  return {};
}

/// Inputs that stay float32 by the operator's definition: regions and scales of Resize.
std::set<std::string> KeptFloat32(const onnx::GraphProto& graph) {
  std::set<std::string> kept;
  for (const onnx::NodeProto& node : graph.node()) {
    if (node.op_type() != "Resize") continue;
    for (int i = 1; i < std::min(node.input_size(), 3); ++i) kept.insert(node.input(i));
  }
  return kept;
}

Result<std::vector<float>> FloatsOf(const onnx::TensorProto& tensor) {
  if (tensor.float_data_size() > 0) {
    return std::vector<float>(tensor.float_data().begin(), tensor.float_data().end());
  }
  if (tensor.raw_data().size() % sizeof(float) != 0) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("tensor \"{}\" has a broken size", tensor.name()));
  }
  std::vector<float> values(tensor.raw_data().size() / sizeof(float));
  std::memcpy(values.data(), tensor.raw_data().data(), tensor.raw_data().size());
  return values;
}

Result<> ConvertTensor(onnx::TensorProto& tensor, Float16Summary& summary) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<float> values, FloatsOf(tensor));
  std::string bytes(values.size() * sizeof(std::uint16_t), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float value = values[i];
    if (std::isfinite(value) && std::abs(value) > kLargestHalf) {
      return Fail(
          ErrorCode::kUnsupported,
          fmt::format("tensor \"{}\" holds {}, which float16 cannot; keep precision float32",
                      tensor.name(), value));
    }
    const Ort::Float16_t half(value);
    std::memcpy(bytes.data() + i * sizeof(std::uint16_t), &half.val, sizeof(std::uint16_t));
    if (std::abs(value) >= kSmallestNormalHalf) {
      const double error =
          std::abs(static_cast<double>(half.ToFloat()) - static_cast<double>(value));
      summary.largest_relative_error =
          std::max(summary.largest_relative_error, error / std::abs(static_cast<double>(value)));
    }
  }
  tensor.clear_float_data();
  tensor.set_raw_data(std::move(bytes));
  tensor.set_data_type(onnx::TensorProto::FLOAT16);
  ++summary.converted_tensors;
  return {};
}

Result<> ConvertNodeAttributes(onnx::NodeProto& node, const std::set<std::string>& kept,
                               Float16Summary& summary) {
  const bool keeps = node.output_size() > 0 && kept.contains(node.output(0));
  if (keeps) return {};
  for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
    if (node.op_type() == "Cast" && attribute.name() == "to" &&
        attribute.i() == onnx::TensorProto::FLOAT) {
      attribute.set_i(onnx::TensorProto::FLOAT16);
    }
    if (attribute.type() == onnx::AttributeProto::TENSOR &&
        attribute.t().data_type() == onnx::TensorProto::FLOAT) {
      KENNING_RETURN_IF_ERROR(ConvertTensor(*attribute.mutable_t(), summary));
    }
    if (attribute.type() == onnx::AttributeProto::GRAPH) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("node \"{}\" holds a subgraph; keep precision float32", node.name()));
    }
  }
  return {};
}

onnx::NodeProto CastNode(const std::string& from, const std::string& to, int dtype) {
  onnx::NodeProto node;
  node.set_op_type("Cast");
  node.set_name("kenning_cast_" + to);
  node.add_input(from);
  node.add_output(to);
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name("to");
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(dtype);
  return node;
}

bool IsFloat(const onnx::ValueInfoProto& value) {
  return value.type().tensor_type().elem_type() == onnx::TensorProto::FLOAT;
}

/// Casts at the borders: inputs to float16 behind them, outputs back to float32 before them.
void CastBorders(onnx::GraphProto& graph) {
  std::set<std::string> initializers;
  for (const onnx::TensorProto& tensor : graph.initializer()) initializers.insert(tensor.name());
  std::vector<onnx::NodeProto> before;
  std::vector<onnx::NodeProto> after;
  const auto rename = [&graph](const std::string& from, const std::string& to) {
    for (onnx::NodeProto& node : *graph.mutable_node()) {
      for (std::string& name : *node.mutable_input()) {
        if (name == from) name = to;
      }
    }
  };
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (!IsFloat(input) || initializers.contains(input.name())) continue;
    const std::string inside = input.name() + "_float16";
    rename(input.name(), inside);
    before.push_back(CastNode(input.name(), inside, onnx::TensorProto::FLOAT16));
  }
  for (const onnx::ValueInfoProto& output : graph.output()) {
    if (!IsFloat(output)) continue;
    const std::string inside = output.name() + "_float16";
    rename(output.name(), inside);
    for (onnx::NodeProto& node : *graph.mutable_node()) {
      for (std::string& name : *node.mutable_output()) {
        if (name == output.name()) name = inside;
      }
    }
    after.push_back(CastNode(inside, output.name(), onnx::TensorProto::FLOAT));
  }
  std::vector<onnx::NodeProto> nodes = std::move(before);
  nodes.insert(nodes.end(), graph.node().begin(), graph.node().end());
  nodes.insert(nodes.end(), after.begin(), after.end());
  graph.clear_node();
  for (onnx::NodeProto& node : nodes) *graph.add_node() = std::move(node);
}

}  // namespace

Result<Float16Summary> ConvertToFloat16(onnx::ModelProto& model) {
  onnx::GraphProto& graph = *model.mutable_graph();
  KENNING_RETURN_IF_ERROR(CheckOperators(graph));
  const std::set<std::string> kept = KeptFloat32(graph);
  Float16Summary summary;
  std::set<std::string> initializers;
  for (onnx::TensorProto& tensor : *graph.mutable_initializer()) {
    initializers.insert(tensor.name());
    if (tensor.data_type() == onnx::TensorProto::FLOAT && !kept.contains(tensor.name())) {
      KENNING_RETURN_IF_ERROR(ConvertTensor(tensor, summary));
    }
  }
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    KENNING_RETURN_IF_ERROR(ConvertNodeAttributes(node, kept, summary));
  }
  // Older models list initializers among the inputs, too: their declared type must follow.
  for (onnx::ValueInfoProto& input : *graph.mutable_input()) {
    if (IsFloat(input) && initializers.contains(input.name()) && !kept.contains(input.name())) {
      input.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT16);
    }
  }
  graph.clear_value_info();
  CastBorders(graph);
  return summary;
}

}  // namespace kenning::ort
