// SPDX-License-Identifier: Apache-2.0
#include "quantizer/qdq_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "onnx_graph/tensors.h"
#include "onnx_graph/validate.h"
#include "quantizer/weights.h"

namespace kenning::quantizer {
namespace {

using onnx_graph::Graph;
using onnx_graph::MakeFloatTensor;
using onnx_graph::MakeRawTensor;

class Writer {
 public:
  Writer(Graph& graph, const Selection& selection,
         const std::map<std::string, TensorStatistics>& statistics, const Settings& settings)
      : graph_(graph), selection_(selection), statistics_(statistics), settings_(settings) {}

  Result<QdqSummary> Run() {
    for (const std::string& tensor : selection_.tensors) {
      KENNING_RETURN_IF_ERROR(ChooseParams(tensor));
    }
    summary_.nodes = selection_.nodes.size();
    for (const int index : selection_.nodes) {
      if (HasWeights(graph_.node(index))) KENNING_RETURN_IF_ERROR(WriteWeights(index));
    }
    for (const int index : selection_.nodes) KENNING_RETURN_IF_ERROR(WriteConstants(index));
    WriteActivations();
    graph_.DropUnused();
    return summary_;
  }

 private:
  int ActivationType() const {
    return settings_.signed_activations ? onnx::TensorProto::INT8 : onnx::TensorProto::UINT8;
  }

  Result<> ChooseParams(const std::string& tensor) {
    const auto found = statistics_.find(selection_.RangeOwner(tensor));
    if (found == statistics_.end()) {
      return Fail(ErrorCode::kEngineFailure,
                  fmt::format("the tensor \"{}\" had no float values in calibration", tensor));
    }
    params_[tensor] = ParamsFor(ChooseRange(found->second.histogram, settings_), settings_);
    return {};
  }

  std::string AddScalar(const std::string& wanted, float value) {
    const std::string name = graph_.FreshName(wanted);
    graph_.AddInitializer(MakeFloatTensor(name, {}, {&value, 1}));
    return name;
  }

  std::string AddZeroPoint(const std::string& wanted, std::int32_t value) {
    const std::string name = graph_.FreshName(wanted);
    const auto byte = static_cast<std::uint8_t>(value);
    graph_.AddInitializer(MakeRawTensor(name, ActivationType(), {}, &byte, 1));
    return name;
  }

  /// A new DequantizeLinear before `index` of the final order; nodes are placed by
  /// WriteActivations.
  std::string AddDequantize(const std::string& stem, const std::string& quantised,
                            const std::string& scale, const std::string& zero_point, int axis) {
    onnx::NodeProto node;
    node.set_op_type("DequantizeLinear");
    node.set_name(graph_.FreshName(stem + "_DequantizeLinear"));
    node.add_input(quantised);
    node.add_input(scale);
    if (!zero_point.empty()) node.add_input(zero_point);
    const std::string output = graph_.FreshName(stem + "_dequantized");
    node.add_output(output);
    if (axis >= 0) onnx_graph::SetIntAttribute(node, "axis", axis);
    constants_first_.push_back(std::move(node));
    return output;
  }

  Result<> WriteWeights(int index) {
    onnx::NodeProto& node = graph_.mutable_node(index);
    const std::string where = onnx_graph::Describe(node);
    const onnx::TensorProto& tensor = *graph_.FindInitializer(node.input(1));
    KENNING_ASSIGN_OR_RETURN(const std::vector<float> weights, onnx_graph::FloatsOf(tensor), where);
    const std::vector<std::int64_t> dims = onnx_graph::DimsOf(tensor);
    KENNING_ASSIGN_OR_RETURN(const WeightLayout layout, LayoutOf(node, dims), where);
    const bool has_bias = node.input_size() > 2 && !node.input(2).empty();
    std::vector<float> bias;
    if (has_bias) {
      KENNING_ASSIGN_OR_RETURN(bias, onnx_graph::FloatsOf(*graph_.FindInitializer(node.input(2))),
                               where);
      if (bias.size() == 1) bias.resize(layout.channels, bias[0]);
      if (bias.size() != layout.channels) {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("{}: {} bias values for {} output channels", where, bias.size(),
                                layout.channels));
      }
    }
    const float input_scale = params_.at(node.input(0)).scale;
    const QuantizedWeights quantized =
        QuantizeWeights(weights, layout, settings_, bias, input_scale);
    const bool can_add_bias = has_bias || !onnx_graph::IsOp(node, "MatMul");
    if (settings_.bias_correction && can_add_bias) {
      CorrectBias(node, weights, quantized, layout, bias);
    }
    ++summary_.layers;
    summary_.limited_layers += quantized.limited ? 1 : 0;
    if (quantized.limited) {
      summary_.smallest_range = std::min(summary_.smallest_range, quantized.smallest_range);
    }
    const bool per_channel = quantized.scale.size() > 1;
    const std::string scale = graph_.FreshName(node.input(1) + "_scale");
    const auto scale_dim = static_cast<std::int64_t>(quantized.scale.size());
    graph_.AddInitializer(
        MakeFloatTensor(scale, {&scale_dim, per_channel ? std::size_t{1} : 0}, quantized.scale));
    const std::string name = graph_.FreshName(node.input(1) + "_quantized");
    graph_.AddInitializer(MakeRawTensor(name, onnx::TensorProto::INT8, dims,
                                        quantized.values.data(), quantized.values.size()));
    const std::string zero_point = AddWeightZeroPoint(node.input(1), quantized.scale.size());
    node.set_input(
        1, AddDequantize(node.input(1), name, scale, zero_point, per_channel ? layout.axis : -1));
    if (!bias.empty()) WriteBias(node, bias, quantized.scale, input_scale);
    return {};
  }

  std::string AddWeightZeroPoint(const std::string& stem, std::size_t channels) {
    const std::string name = graph_.FreshName(stem + "_zero_point");
    const std::vector<std::int8_t> zeros(channels, 0);
    const auto dim = static_cast<std::int64_t>(channels);
    graph_.AddInitializer(MakeRawTensor(name, onnx::TensorProto::INT8,
                                        {&dim, channels > 1 ? std::size_t{1} : 0}, zeros.data(),
                                        zeros.size()));
    return name;
  }

  /// Takes the mean error of the rounded weights out of the bias.
  void CorrectBias(const onnx::NodeProto& node, const std::vector<float>& weights,
                   const QuantizedWeights& quantized, const WeightLayout& layout,
                   std::vector<float>& bias) {
    const auto statistics = statistics_.find(node.input(0));
    if (statistics == statistics_.end()) return;
    const std::vector<double>& means = statistics->second.channel_means;
    const std::size_t inputs =
        layout.input_channels * layout.channels / std::max<std::size_t>(layout.group_channels, 1);
    if (means.size() != inputs) return;
    const std::vector<float> errors = MeanError(weights, quantized, layout, means);
    bias.resize(layout.channels, 0.0F);
    for (std::size_t c = 0; c < layout.channels; ++c) bias[c] -= errors[c];
  }

  void WriteBias(onnx::NodeProto& node, const std::vector<float>& bias,
                 const std::vector<float>& weight_scale, float input_scale) {
    std::vector<std::int32_t> values;
    std::vector<float> scale;
    for (std::size_t c = 0; c < bias.size(); ++c) {
      const float own = weight_scale[weight_scale.size() == 1 ? 0 : c] * input_scale;
      const double level = std::nearbyint(static_cast<double>(bias[c]) / static_cast<double>(own));
      constexpr double kMost = std::numeric_limits<std::int32_t>::max();
      values.push_back(static_cast<std::int32_t>(std::clamp(level, -kMost, kMost)));
      if (scale.empty() || weight_scale.size() > 1) scale.push_back(own);
    }
    const std::string stem =
        node.input_size() > 2 && !node.input(2).empty() ? node.input(2) : node.name() + "_bias";
    const std::string name = graph_.FreshName(stem + "_quantized");
    const auto dim = static_cast<std::int64_t>(values.size());
    graph_.AddInitializer(MakeRawTensor(name, onnx::TensorProto::INT32, {&dim, 1}, values.data(),
                                        values.size() * sizeof(std::int32_t)));
    const std::string scale_name = graph_.FreshName(stem + "_quantized_scale");
    const auto scale_dim = static_cast<std::int64_t>(scale.size());
    const bool per_channel = scale.size() > 1;
    graph_.AddInitializer(
        MakeFloatTensor(scale_name, {&scale_dim, per_channel ? std::size_t{1} : 0}, scale));
    const std::string zero_point = graph_.FreshName(stem + "_quantized_zero_point");
    const std::vector<std::int32_t> zeros(scale.size(), 0);
    graph_.AddInitializer(MakeRawTensor(zero_point, onnx::TensorProto::INT32,
                                        {&scale_dim, per_channel ? std::size_t{1} : 0},
                                        zeros.data(), zeros.size() * sizeof(std::int32_t)));
    const std::string output =
        AddDequantize(stem, name, scale_name, zero_point, per_channel ? 0 : -1);
    while (node.input_size() < 3) node.add_input("");
    node.set_input(2, output);
  }

  /// Constant operands of Add, Mul and the like: quantised as activations are.
  Result<> WriteConstants(int index) {
    onnx::NodeProto& node = graph_.mutable_node(index);
    for (int i = 0; i < node.input_size(); ++i) {
      const std::string tensor = node.input(i);
      if (!selection_.constants.contains(tensor)) continue;
      auto known = quantised_constants_.find(tensor);
      if (known == quantised_constants_.end()) {
        KENNING_ASSIGN_OR_RETURN(const std::string name, QuantiseConstant(tensor));
        known = quantised_constants_.emplace(tensor, name).first;
      }
      node.set_input(i, known->second);
    }
    return {};
  }

  Result<std::string> QuantiseConstant(const std::string& tensor) {
    const onnx::TensorProto& proto = *graph_.FindInitializer(tensor);
    KENNING_ASSIGN_OR_RETURN(const std::vector<float> values, onnx_graph::FloatsOf(proto), tensor);
    Range range;
    for (const float value : values) {
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
    }
    const AffineParams params = ParamsFor(range, settings_);
    std::vector<std::uint8_t> bytes;
    for (const float value : values) {
      const double level =
          std::nearbyint(static_cast<double>(value) / static_cast<double>(params.scale)) +
          params.zero_point;
      bytes.push_back(static_cast<std::uint8_t>(
          static_cast<int>(std::clamp<double>(level, settings_.lowest(), settings_.highest()))));
    }
    const std::vector<std::int64_t> dims = onnx_graph::DimsOf(proto);
    const std::string name = graph_.FreshName(tensor + "_quantized");
    graph_.AddInitializer(MakeRawTensor(name, ActivationType(), dims, bytes.data(), bytes.size()));
    return AddDequantize(tensor, name, AddScalar(tensor + "_scale", params.scale),
                         AddZeroPoint(tensor + "_zero_point", params.zero_point), -1);
  }

  /// Puts a quantiser behind each chosen tensor, and all nodes into an order that defines before
  /// use.
  void WriteActivations() {
    onnx::GraphProto& proto = graph_.proto();
    google::protobuf::RepeatedPtrField<onnx::NodeProto> ordered;
    for (onnx::NodeProto& node : constants_first_) *ordered.Add() = std::move(node);
    std::map<std::string, std::string> replaced;
    for (const auto& input : proto.input()) AddPair(input.name(), ordered, replaced);
    for (onnx::NodeProto& node : *proto.mutable_node()) {
      for (std::string& input : *node.mutable_input()) {
        const auto it = replaced.find(input);
        if (it != replaced.end()) input = it->second;
      }
      std::vector<std::string> outputs(node.output().begin(), node.output().end());
      for (int o = 0; o < node.output_size(); ++o) {
        // The graph's outputs keep their names: the quantiser gives them, the node another.
        if (params_.contains(outputs[static_cast<std::size_t>(o)]) &&
            graph_.IsOutput(outputs[static_cast<std::size_t>(o)])) {
          node.set_output(o, graph_.FreshName(outputs[static_cast<std::size_t>(o)] + "_float"));
        }
      }
      const std::vector<std::string> written(node.output().begin(), node.output().end());
      *ordered.Add() = std::move(node);
      for (std::size_t o = 0; o < outputs.size(); ++o) {
        if (written[o] != outputs[o]) {
          AddPairNamed(outputs[o], written[o], outputs[o], ordered);
        } else {
          AddPair(outputs[o], ordered, replaced);
        }
      }
    }
    proto.mutable_node()->Swap(&ordered);
    graph_.Refresh();
  }

  void AddPair(const std::string& tensor, google::protobuf::RepeatedPtrField<onnx::NodeProto>& to,
               std::map<std::string, std::string>& replaced) {
    if (!params_.contains(tensor)) return;
    const std::string output = graph_.FreshName(tensor + "_dequantized");
    AddPairNamed(tensor, tensor, output, to);
    replaced[tensor] = output;
  }

  void AddPairNamed(const std::string& tensor, const std::string& from, const std::string& output,
                    google::protobuf::RepeatedPtrField<onnx::NodeProto>& to) {
    const AffineParams& params = params_.at(tensor);
    const std::string scale = AddScalar(tensor + "_scale", params.scale);
    const std::string zero_point = AddZeroPoint(tensor + "_zero_point", params.zero_point);
    const std::string quantised = graph_.FreshName(tensor + "_quantized");
    onnx::NodeProto& quantize = *to.Add();
    quantize.set_op_type("QuantizeLinear");
    quantize.set_name(graph_.FreshName(tensor + "_QuantizeLinear"));
    for (const std::string& input : {from, scale, zero_point}) quantize.add_input(input);
    quantize.add_output(quantised);
    onnx::NodeProto& dequantize = *to.Add();
    dequantize.set_op_type("DequantizeLinear");
    dequantize.set_name(graph_.FreshName(tensor + "_DequantizeLinear"));
    for (const std::string& input : {quantised, scale, zero_point}) dequantize.add_input(input);
    dequantize.add_output(output);
  }

  Graph& graph_;
  const Selection& selection_;
  const std::map<std::string, TensorStatistics>& statistics_;
  const Settings& settings_;
  std::map<std::string, AffineParams> params_;
  std::vector<onnx::NodeProto> constants_first_;
  std::map<std::string, std::string> quantised_constants_;
  QdqSummary summary_;
};

}  // namespace

Result<QdqSummary> WriteQdq(Graph& graph, const Selection& selection,
                            const std::map<std::string, TensorStatistics>& statistics,
                            const Settings& settings) {
  return Writer(graph, selection, statistics, settings).Run();
}

}  // namespace kenning::quantizer
