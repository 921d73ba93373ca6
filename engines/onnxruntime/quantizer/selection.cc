// SPDX-License-Identifier: Apache-2.0
#include "quantizer/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kenning/base/strings.h"
#include "onnx_graph/validate.h"
#include "quantizer/weights.h"

namespace kenning::quantizer {
namespace {

using onnx_graph::Graph;
using onnx_graph::IsOp;

template <std::size_t N>
bool IsOneOf(const onnx::NodeProto& node, const std::array<std::string_view, N>& types) {
  return std::ranges::any_of(types, [&node](std::string_view type) { return IsOp(node, type); });
}

constexpr std::array<std::string_view, 4> kWeighted = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
/// Their first input's values come out again, somewhere else.
constexpr std::array<std::string_view, 11> kMoving = {
    "MaxPool", "Reshape", "Transpose",    "Flatten",      "Squeeze", "Unsqueeze",
    "Slice",   "Gather",  "DepthToSpace", "SpaceToDepth", "Split"};
constexpr std::array<std::string_view, 7> kComputing = {
    "Add", "Mul", "Concat", "AveragePool", "GlobalAveragePool", "LeakyRelu", "Sigmoid"};
/// Folded into the quantiser behind them by runtimes.
constexpr std::array<std::string_view, 2> kClipping = {"Relu", "Clip"};

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::ranges::find(list, item) != list.end();
}

Result<> CheckNames(const Graph& graph, const std::vector<std::string>& wanted, bool types,
                    const char* parameter) {
  std::set<std::string> known;
  for (int i = 0; i < graph.node_count(); ++i) {
    known.insert(types ? graph.node(i).op_type() : graph.node(i).name());
  }
  const std::vector<std::string> list(known.begin(), known.end());
  for (const std::string& name : wanted) {
    if (known.contains(name)) continue;
    const std::vector<std::string> nearest = NearestNames(name, list);
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("{}: the model has no {} \"{}\"{}", parameter, types ? "operator type" : "node",
                    name, nearest.empty() ? "" : "; did you mean " + Join(nearest, " or ") + "?"));
  }
  return {};
}

class Selector {
 public:
  Selector(const Graph& graph, const Settings& settings) : graph_(graph), settings_(settings) {}

  Selection Run() {
    FindFloats();
    for (int i = 0; i < graph_.node_count(); ++i) {
      const onnx::NodeProto& node = graph_.node(i);
      if (!Wanted(node)) continue;
      if (HasWeights(node)) {
        AddWeighted(i);
      } else if (IsOneOf(node, kMoving)) {
        AddMoving(i);
      } else if (IsOneOf(node, kComputing)) {
        AddComputing(i);
      }
    }
    DropIdleOutputs();
    return std::move(selection_);
  }

 private:
  bool Wanted(const onnx::NodeProto& node) const {
    if (!settings_.only_nodes.empty() && !Contains(settings_.only_nodes, node.name())) return false;
    if (!settings_.only_types.empty() && !Contains(settings_.only_types, node.op_type())) {
      return false;
    }
    return !Contains(settings_.excluded_nodes, node.name()) &&
           !Contains(settings_.excluded_types, node.op_type());
  }

  /// Tensors that are float for sure: only they can be quantised.
  void FindFloats() {
    const auto is_float = [](const onnx::ValueInfoProto& info) {
      return info.type().tensor_type().elem_type() == onnx::TensorProto::FLOAT;
    };
    for (const auto& input : graph_.proto().input()) {
      if (is_float(input)) floats_.insert(input.name());
    }
    for (const auto& info : graph_.proto().value_info()) {
      if (is_float(info)) floats_.insert(info.name());
    }
    for (const auto& tensor : graph_.proto().initializer()) {
      if (tensor.data_type() == onnx::TensorProto::FLOAT) floats_.insert(tensor.name());
    }
    for (int i = 0; i < graph_.node_count(); ++i) {
      const onnx::NodeProto& node = graph_.node(i);
      // Operators whose outputs have the type of their first input.
      static constexpr std::array<std::string_view, 19> kKeeping = {"Sub",
                                                                    "Div",
                                                                    "Exp",
                                                                    "Sqrt",
                                                                    "Tanh",
                                                                    "Elu",
                                                                    "Softmax",
                                                                    "PRelu",
                                                                    "HardSigmoid",
                                                                    "HardSwish",
                                                                    "Resize",
                                                                    "Pad",
                                                                    "Pow",
                                                                    "Identity",
                                                                    "Erf",
                                                                    "ReduceMean",
                                                                    "LayerNormalization",
                                                                    "BatchNormalization",
                                                                    "Softplus"};
      const bool keeps = IsOneOf(node, kWeighted) || IsOneOf(node, kMoving) ||
                         IsOneOf(node, kComputing) || IsOneOf(node, kClipping) ||
                         IsOneOf(node, kKeeping);
      if (!keeps || node.input_size() == 0 || !floats_.contains(node.input(0))) continue;
      for (const std::string& output : node.output()) floats_.insert(output);
    }
  }

  bool IsConstant(const std::string& tensor) const {
    return graph_.FindInitializer(tensor) != nullptr;
  }
  bool IsActivation(const std::string& tensor) const {
    return !tensor.empty() && !IsConstant(tensor) && floats_.contains(tensor);
  }

  /// Where the quantiser of a node's output goes: behind a Relu or Clip that alone reads it.
  std::string Quantised(const std::string& output) const {
    if (settings_.symmetric_activations || !graph_.HasSingleConsumer(output)) return output;
    const onnx::NodeProto& next = graph_.node(graph_.ConsumersOf(output)[0]);
    const bool clips = IsOneOf(next, kClipping) && next.input(0) == output;
    return clips ? next.output(0) : output;
  }

  void AddWeighted(int index) {
    const onnx::NodeProto& node = graph_.node(index);
    if (!IsActivation(node.input(0))) return;
    const onnx::TensorProto& weights = *graph_.FindInitializer(node.input(1));
    const std::vector<std::int64_t> dims(weights.dims().begin(), weights.dims().end());
    if (weights.data_type() != onnx::TensorProto::FLOAT || !LayoutOf(node, dims)) return;
    if (IsOp(node, "Gemm") && (onnx_graph::IntAttribute(node, "transA", 0) != 0 ||
                               onnx_graph::FloatAttribute(node, "alpha", 1) != 1.0F ||
                               onnx_graph::FloatAttribute(node, "beta", 1) != 1.0F)) {
      return;
    }
    if (node.input_size() > 2 && !node.input(2).empty()) {
      const onnx::TensorProto* bias = graph_.FindInitializer(node.input(2));
      if (bias == nullptr || bias->dims_size() != 1 ||
          bias->data_type() != onnx::TensorProto::FLOAT) {
        return;
      }
    }
    selection_.nodes.insert(index);
    selection_.tensors.insert(node.input(0));
    selection_.tensors.insert(Quantised(node.output(0)));
  }

  void AddMoving(int index) {
    const onnx::NodeProto& node = graph_.node(index);
    if (!selection_.tensors.contains(node.input(0))) return;
    // The indices of a MaxPool's maxima are of no quantised kernel.
    if (IsOp(node, "MaxPool") && node.output_size() > 1 && !node.output(1).empty()) return;
    selection_.nodes.insert(index);
    for (const std::string& output : node.output()) {
      selection_.tensors.insert(output);
      selection_.shares[output] = node.input(0);
    }
  }

  void AddComputing(int index) {
    const onnx::NodeProto& node = graph_.node(index);
    bool any = false;
    for (const std::string& input : node.input()) {
      if (IsConstant(input)) {
        if (graph_.FindInitializer(input)->data_type() != onnx::TensorProto::FLOAT) return;
        continue;
      }
      if (!selection_.tensors.contains(input)) return;
      any = true;
    }
    if (!any) return;
    selection_.nodes.insert(index);
    for (const std::string& input : node.input()) {
      if (IsConstant(input)) selection_.constants.insert(input);
    }
    selection_.tensors.insert(Quantised(node.output(0)));
  }

  /// A matrix product whose result no quantised node reads gives it in float: kernels can, and the
  /// last layer's scores keep their precision.
  void DropIdleOutputs() {
    std::set<std::string> read;
    for (const int index : selection_.nodes) {
      for (const std::string& input : graph_.node(index).input()) read.insert(input);
    }
    for (const int index : selection_.nodes) {
      const onnx::NodeProto& node = graph_.node(index);
      if (!IsOp(node, "Gemm") && !IsOp(node, "MatMul")) continue;
      const std::string output = Quantised(node.output(0));
      if (!read.contains(output)) selection_.tensors.erase(output);
    }
  }

  const Graph& graph_;
  const Settings& settings_;
  std::set<std::string> floats_;
  Selection selection_;
};

}  // namespace

const std::string& Selection::RangeOwner(const std::string& tensor) const {
  const auto it = shares.find(tensor);
  return it == shares.end() ? tensor : RangeOwner(it->second);
}

bool HasWeights(const onnx::NodeProto& node) {
  return IsOneOf(node, kWeighted) && node.input_size() >= 2;
}

Result<Selection> SelectNodes(const Graph& graph, const Settings& settings) {
  KENNING_RETURN_IF_ERROR(CheckNames(graph, settings.only_nodes, false, "nodes_to_quantize"));
  KENNING_RETURN_IF_ERROR(CheckNames(graph, settings.excluded_nodes, false, "nodes_to_exclude"));
  KENNING_RETURN_IF_ERROR(CheckNames(graph, settings.excluded_types, true, "op_types_to_exclude"));
  for (int i = 0; i < graph.node_count(); ++i) {
    if (IsOp(graph.node(i), "QuantizeLinear") || IsOp(graph.node(i), "DequantizeLinear")) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("the model is quantised already: {}; give the float model",
                              onnx_graph::Describe(graph.node(i))));
    }
  }
  Selection selection = Selector(graph, settings).Run();
  if (selection.nodes.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "no node of the model can be quantised: there is no Conv, ConvTranspose, Gemm or "
                "MatMul with constant float weights among the nodes chosen");
  }
  return selection;
}

}  // namespace kenning::quantizer
