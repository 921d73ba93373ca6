// SPDX-License-Identifier: Apache-2.0
#include "ort_graph.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/tensors.h"
#include "ort_facts.h"

namespace kenning::ort {
namespace {

using onnx_graph::Graph;
using onnx_graph::IsOp;

template <std::size_t N>
bool IsOneOf(const onnx::NodeProto& node, const std::array<std::string_view, N>& types) {
  return std::ranges::any_of(types, [&](std::string_view type) { return IsOp(node, type); });
}

/// What engines fuse with the DequantizeLinear before and the QuantizeLinear after it.
constexpr std::array<std::string_view, 31> kFusible = {
    "Conv",    "ConvTranspose", "Gemm",      "MatMul",    "Add",        "Mul",
    "Relu",    "Clip",          "LeakyRelu", "Sigmoid",   "HardSwish",  "HardSigmoid",
    "Softmax", "AveragePool",   "MaxPool",   "Concat",    "Reshape",    "GlobalAveragePool",
    "Flatten", "Transpose",     "Squeeze",   "Unsqueeze", "Slice",      "Split",
    "Gather",  "Resize",        "Expand",    "Tile",      "ReduceMean", "Where",
    "Sub"};
constexpr std::array<std::string_view, 4> kWithWeights = {"Conv", "ConvTranspose", "Gemm",
                                                          "MatMul"};
constexpr std::array<std::string_view, 4> kAllInputs = {"Add", "Sub", "Mul", "Concat"};
constexpr std::array<std::string_view, 2> kActivations = {"Relu", "Clip"};

/// Operators that are made for 8-bit values.
bool IsIntegerKernel(std::string_view type) {
  return type.starts_with("QLinear") || type.ends_with("Integer") || type == "QGemm";
}

class Reader {
 public:
  Reader(onnx::ModelProto& model, std::map<std::string, TensorFacts> facts)
      : graph_(*model.mutable_graph()), facts_(std::move(facts)) {
    for (const auto& input : graph_.proto().input()) {
      if (graph_.FindInitializer(input.name()) == nullptr) live_.insert(input.name());
    }
    for (std::string& name : onnx_graph::LiveTensors(graph_.proto())) {
      live_.insert(std::move(name));
    }
  }

  GraphInfo Read() {
    GraphInfo info;
    for (int i = 0; i < graph_.node_count(); ++i) {
      const onnx::NodeProto& node = graph_.node(i);
      if (!std::ranges::any_of(node.output(), [&](const auto& name) { return IsLive(name); })) {
        continue;
      }
      if (IsFused(node)) fused_.insert(i);
      info.operators.push_back(Describe(node, fused_.contains(i)));
    }
    return info;
  }

 private:
  bool IsLive(const std::string& tensor) const { return live_.contains(tensor); }

  const TensorFacts* FactsOf(const std::string& tensor) const {
    const auto found = facts_.find(tensor);
    return found == facts_.end() ? nullptr : &found->second;
  }
  Shape ShapeOf(const std::string& tensor) const {
    const TensorFacts* facts = FactsOf(tensor);
    return facts == nullptr || !facts->shape_known ? Shape{kAnyDim} : facts->shape;
  }
  std::uint64_t CountOf(const std::string& tensor) const {
    return ElementCount(ShapeOf(tensor)).value_or(0);
  }
  DType TypeOf(const std::string& tensor) const {
    const TensorFacts* facts = FactsOf(tensor);
    return facts == nullptr ? DType::kFloat32 : facts->dtype.value_or(DType::kFloat32);
  }

  /// Written by a DequantizeLinear of 8-bit values.
  bool IsDequantised(const std::string& tensor) const {
    const int producer = graph_.ProducerOf(tensor);
    if (producer < 0 || !IsOp(graph_.node(producer), "DequantizeLinear")) return false;
    // Constants that nodes make have no facts.
    const std::string& quantised = graph_.node(producer).input(0);
    if (FactsOf(quantised) == nullptr) return !IsLive(quantised);
    const DType type = TypeOf(quantised);
    return type == DType::kInt8 || type == DType::kUint8;
  }

  /// Read by QuantizeLinear alone, or by one activation that is.
  bool IsQuantised(const std::string& tensor) const {
    const std::vector<int>& readers = graph_.ConsumersOf(tensor);
    if (readers.empty() || graph_.IsOutput(tensor) || graph_.IsReadBySubgraph(tensor)) return false;
    if (std::ranges::all_of(
            readers, [&](int reader) { return IsOp(graph_.node(reader), "QuantizeLinear"); })) {
      return true;
    }
    const onnx::NodeProto& reader = graph_.node(readers.front());
    return readers.size() == 1 && IsOneOf(reader, kActivations) && IsQuantised(reader.output(0)) &&
           (!IsOp(reader, "Relu") || SaturatesAtZero(reader.output(0)));
  }

  /// Where the lowest 8-bit value stands for zero, quantising is a Relu in itself.
  bool SaturatesAtZero(const std::string& tensor) const {
    return std::ranges::all_of(graph_.ConsumersOf(tensor), [&](int reader) {
      const std::string& quantised = graph_.node(reader).output(0);
      const auto quant = ort::QuantOf(graph_, quantised);
      const std::int64_t lowest = TypeOf(quantised) == DType::kInt8 ? -128 : 0;
      return quant && std::ranges::all_of(quant->zero_point,
                                          [&](std::int64_t zero) { return zero == lowest; });
    });
  }

  /// Whether engines compute this operator on 8-bit values.
  bool IsFused(const onnx::NodeProto& node) const {
    if (!IsOneOf(node, kFusible) || node.input_size() == 0 || node.output_size() == 0) return false;
    // Integer matrix products may give float results.
    const bool float_result = IsOp(node, "Gemm") || IsOp(node, "MatMul");
    if (!float_result && !IsQuantised(node.output(0))) return false;
    if (IsOneOf(node, kActivations) && fused_.contains(graph_.ProducerOf(node.input(0)))) {
      return true;
    }
    int count = 1;
    if (IsOneOf(node, kWithWeights)) count = std::min(2, node.input_size());
    if (IsOneOf(node, kAllInputs)) count = node.input_size();
    for (int i = 0; i < count; ++i) {
      if (!IsDequantised(node.input(i))) return false;
    }
    return true;
  }

  /// Bytes of the initializers that a constant tensor is made of.
  std::uint64_t ConstantBytes(const std::string& tensor,
                              std::unordered_set<std::string>& seen) const {
    if (tensor.empty() || IsLive(tensor) || !seen.insert(tensor).second) return 0;
    if (const onnx::TensorProto* initializer = graph_.FindInitializer(tensor)) {
      const auto bytes = onnx_graph::RawBytesOf(*initializer);
      return bytes ? *bytes : 0;
    }
    const int producer = graph_.ProducerOf(tensor);
    if (producer < 0) return 0;
    std::uint64_t bytes = 0;
    if (const auto* value = onnx_graph::FindAttribute(graph_.node(producer), "value");
        value != nullptr && value->has_t()) {
      bytes += onnx_graph::RawBytesOf(value->t()).value_or(0);
    }
    for (const std::string& input : graph_.node(producer).input()) {
      bytes += ConstantBytes(input, seen);
    }
    return bytes;
  }

  /// Elements of a weight: those of the initializer behind a DequantizeLinear, or its own.
  Shape WeightShape(const std::string& tensor) const {
    if (FactsOf(tensor) != nullptr) return ShapeOf(tensor);
    const int producer = graph_.ProducerOf(tensor);
    if (producer < 0) return {kAnyDim};
    const onnx::NodeProto& node = graph_.node(producer);
    if (IsOp(node, "DequantizeLinear") && node.input_size() > 0) return WeightShape(node.input(0));
    if (const auto* value = onnx_graph::FindAttribute(node, "value");
        value != nullptr && value->has_t()) {
      return onnx_graph::DimsOf(value->t());
    }
    return {kAnyDim};
  }

  std::uint64_t ConvMacs(const onnx::NodeProto& node, int weights_input) const {
    const Shape weights = WeightShape(node.input(weights_input));
    const auto elements = ElementCount(weights);
    if (!elements || weights.size() < 3 || weights[0] <= 0) return 0;
    // Each output value is a product with one filter; transposed, each input value with one.
    const bool transposed = IsOp(node, "ConvTranspose");
    const std::uint64_t filter = *elements / static_cast<std::uint64_t>(weights[0]);
    return CountOf(transposed ? node.input(0) : node.output(0)) * filter;
  }

  std::uint64_t ProductMacs(const onnx::NodeProto& node) const {
    const Shape left = WeightShape(node.input(0));
    const bool transposed = onnx_graph::IntAttribute(node, "transA", 0) != 0;
    if (left.empty() || (transposed && left.size() < 2)) return 0;
    const std::int64_t inner = transposed ? left[left.size() - 2] : left.back();
    return inner <= 0 ? 0 : CountOf(node.output(0)) * static_cast<std::uint64_t>(inner);
  }

  std::uint64_t RecurrentMacs(const onnx::NodeProto& node) const {
    const Shape input = ShapeOf(node.input(0));
    const auto weights = ElementCount(WeightShape(node.input(1)));
    const auto recurrent = ElementCount(WeightShape(node.input(2)));
    if (input.size() != 3 || !weights || !recurrent || input[0] < 0 || input[1] < 0) return 0;
    return static_cast<std::uint64_t>(input[0]) * static_cast<std::uint64_t>(input[1]) *
           (*weights + *recurrent);
  }

  std::uint64_t Macs(const onnx::NodeProto& node) const {
    const std::string& type = node.op_type();
    const int inputs = node.input_size();
    if (node.output_size() == 0) return 0;
    if ((type == "Conv" || type == "ConvTranspose" || type == "ConvInteger" ||
         type == "FusedConv") &&
        inputs >= 2) {
      return ConvMacs(node, 1);
    }
    if (type == "QLinearConv" && inputs >= 4) return ConvMacs(node, 3);
    if ((type == "Gemm" || type == "MatMul" || type == "MatMulInteger" || type == "QLinearMatMul" ||
         type == "FusedMatMul" || type == "FusedGemm" || type == "QGemm") &&
        inputs >= 2) {
      return ProductMacs(node);
    }
    if ((type == "LSTM" || type == "GRU" || type == "RNN") && inputs >= 3) {
      return RecurrentMacs(node);
    }
    return 0;
  }

  OperatorInfo Describe(const onnx::NodeProto& node, bool fused) const {
    OperatorInfo info;
    info.name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
    info.op_type = node.op_type();
    const auto main =
        std::ranges::find_if(node.input(), [&](const std::string& name) { return IsLive(name); });
    if (fused || IsIntegerKernel(node.op_type())) {
      info.dtype = DType::kInt8;
    } else if (main != node.input().end()) {
      info.dtype = TypeOf(*main);
    }
    info.macs = Macs(node);
    const auto activation = [&](const std::string& name) {
      return CountOf(name) * (fused ? 1 : DTypeSize(TypeOf(name)));
    };
    std::unordered_set<std::string> seen;
    for (const std::string& name : node.input()) {
      if (name.empty()) continue;
      info.inputs.push_back(name);
      info.weight_bytes += ConstantBytes(name, seen);
      if (IsLive(name)) info.activation_bytes += activation(name);
    }
    for (const std::string& name : node.output()) {
      if (name.empty()) continue;
      info.outputs.push_back(name);
      info.activation_bytes += activation(name);
    }
    return info;
  }

  Graph graph_;
  std::map<std::string, TensorFacts> facts_;
  std::unordered_set<std::string> live_;
  std::unordered_set<int> fused_;
};

}  // namespace

Result<GraphInfo> ReadGraph(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto model, onnx_graph::ReadOnnxModel(path));
  KENNING_ASSIGN_OR_RETURN(auto facts, FactsOfTensors(model, path.string()));
  return Reader(model, std::move(facts)).Read();
}

}  // namespace kenning::ort
