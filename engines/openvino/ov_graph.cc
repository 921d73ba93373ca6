// SPDX-License-Identifier: Apache-2.0
#include "ov_graph.h"

#include <algorithm>
#include <map>
#include <openvino/op/constant.hpp>
#include <openvino/op/matmul.hpp>
#include <unordered_set>

#include "ov_api.h"

namespace kenning::openvino {
namespace {

using Source = ov::Output<ov::Node>;

bool IsAny(const ov::Node& node, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, std::string_view(node.get_type_name())) != types.end();
}

std::uint64_t CountOf(const Source& tensor) {
  if (tensor.get_partial_shape().is_dynamic()) return 0;
  return ov::shape_size(tensor.get_shape());
}

DType TypeOf(const Source& tensor) {
  return FromOvType(tensor.get_element_type()).value_or(DType::kFloat32);
}

std::string NameOfTensor(const Source& tensor) {
  return NameOf(ov::Output<const ov::Node>(tensor.get_node(), tensor.get_index()));
}

class Reader {
 public:
  GraphInfo Read(const ov::Model& model) {
    GraphInfo info;
    for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
      bool live = IsAny(*node, {"Parameter"});
      for (const Source& input : node->input_values()) live = live || IsLive(input);
      if (!live || IsAny(*node, {"ShapeOf"})) continue;
      live_.insert(node.get());
      if (IsAny(*node, {"Parameter", "Result"})) continue;
      info.operators.push_back(Describe(*node));
    }
    return info;
  }

 private:
  bool IsLive(const Source& tensor) const { return live_.contains(tensor.get_node()); }

  /// Bytes of the constants that a tensor is made of.
  std::uint64_t ConstantBytes(const Source& tensor, std::unordered_set<const ov::Node*>& seen) {
    const ov::Node* node = tensor.get_node();
    if (IsLive(tensor) || !seen.insert(node).second) return 0;
    if (const auto* constant = dynamic_cast<const ov::op::v0::Constant*>(node)) {
      return constant->get_byte_size();
    }
    std::uint64_t bytes = 0;
    for (const Source& input : node->input_values()) bytes += ConstantBytes(input, seen);
    return bytes;
  }

  /// Whether a tensor holds few distinct values: it comes from FakeQuantize, or from 8-bit integers
  /// by a conversion and arithmetic with constants.
  bool IsQuantised(const Source& tensor) const {
    const ov::Node* node = tensor.get_node();
    for (;;) {
      if (IsAny(*node, {"FakeQuantize"})) return true;
      if (IsAny(*node, {"Convert"})) {
        const ov::element::Type from = node->get_input_element_type(0);
        return from == ov::element::i8 || from == ov::element::u8 ||
               IsQuantised(node->input_value(0));
      }
      const bool passes = IsAny(*node, {"Subtract", "Multiply", "Transpose", "Reshape", "Squeeze",
                                        "Unsqueeze", "MaxPool", "Split", "VariadicSplit"});
      if (!passes || (node->get_input_size() > 1 && IsLive(node->input_value(1)))) return false;
      node = node->get_input_node_ptr(0);
    }
  }

  /// Multiply-adds of one output value of a convolution: filters are [out, in, …], with groups
  /// [groups, out, in, …]; transposed ones [in, out, …] count for an input value.
  static std::uint64_t FilterSize(const ov::Node& node, std::size_t leading) {
    const ov::PartialShape& shape = node.get_input_partial_shape(1);
    if (shape.is_dynamic() || shape.size() < leading) return 0;
    std::uint64_t size = 1;
    for (std::size_t i = leading; i < shape.size(); ++i) {
      size *= static_cast<std::uint64_t>(shape[static_cast<std::ptrdiff_t>(i)].get_length());
    }
    return size;
  }

  static std::uint64_t Macs(ov::Node& node) {
    if (IsAny(node, {"Convolution"})) return CountOf(node.output(0)) * FilterSize(node, 1);
    if (IsAny(node, {"GroupConvolution"})) return CountOf(node.output(0)) * FilterSize(node, 2);
    if (IsAny(node, {"ConvolutionBackpropData"})) {
      return CountOf(node.input_value(0)) * FilterSize(node, 1);
    }
    if (IsAny(node, {"GroupConvolutionBackpropData"})) {
      return CountOf(node.input_value(0)) * FilterSize(node, 2);
    }
    if (!IsAny(node, {"MatMul"})) return 0;
    const ov::PartialShape& left = node.get_input_partial_shape(0);
    const auto* product = dynamic_cast<const ov::op::v0::MatMul*>(&node);
    if (left.is_dynamic() || left.size() == 0 || product == nullptr) return 0;
    const std::ptrdiff_t last = static_cast<std::ptrdiff_t>(left.size()) - 1;
    const std::ptrdiff_t inner = product->get_transpose_a() && last > 0 ? last - 1 : last;
    return CountOf(node.output(0)) * static_cast<std::uint64_t>(left[inner].get_length());
  }

  /// The CPU plugin computes products of two quantised tensors, and pooling of one, in 8 bits.
  bool IsInt8(const ov::Node& node) const {
    if (IsAny(node, {"Convolution", "GroupConvolution", "ConvolutionBackpropData",
                     "GroupConvolutionBackpropData", "MatMul"})) {
      return IsQuantised(node.input_value(0)) && IsQuantised(node.input_value(1));
    }
    return IsAny(node, {"MaxPool", "AvgPool"}) && IsQuantised(node.input_value(0));
  }

  /// Arithmetic on one tensor that the CPU plugin does while it writes the result before it.
  bool IsFollowUp(const ov::Node& node) const {
    if (!IsAny(node, {"FakeQuantize", "Convert", "Subtract", "Multiply", "Add", "Divide", "Relu",
                      "Clamp", "PRelu", "HSwish", "Swish", "Sigmoid", "Elu"})) {
      return false;
    }
    const Source main = node.input_value(0);
    for (std::size_t i = 1; i < node.get_input_size(); ++i) {
      if (IsLive(node.input_value(i))) return false;
    }
    return IsLive(main) && main.get_target_inputs().size() == 1 &&
           (fused_.contains(main.get_node()) || Macs(*main.get_node()) > 0 ||
            IsAny(*main.get_node(), {"Add", "AvgPool", "ReduceMean", "FakeQuantize"}));
  }

  /// Whether the follow-ups of a result end in one that brings it to 8 bits.
  static bool IsStoredAsInt8(const ov::Node& node) {
    const ov::Node* at = &node;
    for (int step = 0; step < 8; ++step) {
      const auto readers = at->output(0).get_target_inputs();
      if (readers.empty()) return false;
      at = readers.begin()->get_node();
      if (IsAny(*at, {"FakeQuantize"})) return true;
      if (!IsAny(*at, {"Add", "Multiply", "Relu", "Clamp", "PRelu", "HSwish"})) return false;
    }
    return false;
  }

  OperatorInfo Describe(ov::Node& node) {
    OperatorInfo info;
    info.name = node.get_friendly_name();
    info.op_type = node.get_type_name();
    const bool int8 = IsInt8(node);
    info.macs = Macs(node);
    std::unordered_set<const ov::Node*> seen;
    bool main_found = false;
    for (const Source& input : node.input_values()) {
      info.inputs.push_back(NameOfTensor(input));
      info.weight_bytes += ConstantBytes(input, seen);
      if (!IsLive(input)) continue;
      if (!main_found) info.dtype = TypeOf(input);
      main_found = true;
      info.activation_bytes += CountOf(input) * (int8 ? 1 : DTypeSize(TypeOf(input)));
    }
    if (int8) info.dtype = DType::kInt8;
    const bool narrow = int8 && IsStoredAsInt8(node);
    for (const Source& output : node.outputs()) {
      info.outputs.push_back(NameOfTensor(output));
      info.activation_bytes += CountOf(output) * (narrow ? 1 : DTypeSize(TypeOf(output)));
    }
    if (IsFollowUp(node)) {
      fused_.insert(&node);
      info.activation_bytes = 0;
    }
    return info;
  }

  std::unordered_set<const ov::Node*> live_;
  std::unordered_set<const ov::Node*> fused_;
};

/// Open leading dimensions become 1; a model that does not take that stays as it is.
void FixBatch(ov::Model& model) {
  std::map<std::size_t, ov::PartialShape> shapes;
  for (std::size_t i = 0; i < model.inputs().size(); ++i) {
    ov::PartialShape shape = model.input(i).get_partial_shape();
    if (shape.rank().is_static() && shape.size() > 0 && shape[0].is_dynamic()) shape[0] = 1;
    shapes[i] = shape;
  }
  try {
    model.reshape(shapes);
  } catch (const ov::Exception&) {
    // Shapes that stay unknown count as 0.
  }
}

}  // namespace

Result<GraphInfo> ReadGraph(const std::filesystem::path& path, std::string_view format) {
  KENNING_ASSIGN_OR_RETURN(const std::shared_ptr<ov::Model> model, ReadModel(path, format));
  return Guard(ErrorCode::kInvalidModel, path, [&]() -> Result<GraphInfo> {
    FixBatch(*model);
    return Reader().Read(*model);
  });
}

}  // namespace kenning::openvino
