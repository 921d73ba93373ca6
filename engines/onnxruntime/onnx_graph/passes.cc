// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/passes.h"

#include <fmt/format.h>

#include <cmath>

#include "onnx_graph/tensors.h"
#include "onnx_graph/validate.h"

namespace kenning::onnx_graph {
namespace {

std::size_t Index(std::int64_t value) { return static_cast<std::size_t>(value); }

/// A Constant node's value as a tensor; empty for sparse or string values.
std::optional<onnx::TensorProto> ConstantValue(const onnx::NodeProto& node) {
  if (const auto* value = FindAttribute(node, "value")) return value->t();
  if (const auto* value = FindAttribute(node, "value_float")) {
    const float number = value->f();
    return MakeFloatTensor("", {}, {&number, 1});
  }
  if (const auto* value = FindAttribute(node, "value_floats")) {
    const std::vector<float> numbers(value->floats().begin(), value->floats().end());
    const std::int64_t dim = value->floats_size();
    return MakeFloatTensor("", {&dim, 1}, numbers);
  }
  if (const auto* value = FindAttribute(node, "value_int")) {
    const std::int64_t number = value->i();
    return MakeRawTensor("", onnx::TensorProto::INT64, {}, &number, sizeof(number));
  }
  if (const auto* value = FindAttribute(node, "value_ints")) {
    const std::vector<std::int64_t> numbers(value->ints().begin(), value->ints().end());
    const std::int64_t dim = value->ints_size();
    return MakeRawTensor("", onnx::TensorProto::INT64, {&dim, 1}, numbers.data(),
                         numbers.size() * sizeof(std::int64_t));
  }
  return std::nullopt;
}

/// y = x * scale + shift for each channel.
struct ChannelAffine {
  std::vector<float> scale;
  std::vector<float> shift;
};

/// Empty where the parameters are not constant.
Result<std::optional<ChannelAffine>> AffineOf(const Graph& graph, const onnx::NodeProto& norm) {
  if (norm.input_size() != 5) return std::nullopt;
  std::vector<std::vector<float>> values;
  for (int i = 1; i < 5; ++i) {
    const onnx::TensorProto* tensor = graph.FindInitializer(norm.input(i));
    if (tensor == nullptr) return std::nullopt;
    KENNING_ASSIGN_OR_RETURN(auto floats, FloatsOf(*tensor), Describe(norm));
    values.push_back(std::move(floats));
  }
  const std::size_t channels = values[0].size();
  for (const auto& value : values) {
    if (value.size() != channels) {
      return Fail(ErrorCode::kInvalidModel,
                  Describe(norm) + ": its parameters have different lengths");
    }
  }
  const double epsilon = static_cast<double>(FloatAttribute(norm, "epsilon", 1e-5F));
  ChannelAffine affine;
  for (std::size_t c = 0; c < channels; ++c) {
    const double scale =
        static_cast<double>(values[0][c]) / std::sqrt(static_cast<double>(values[3][c]) + epsilon);
    affine.scale.push_back(static_cast<float>(scale));
    affine.shift.push_back(static_cast<float>(static_cast<double>(values[1][c]) -
                                              static_cast<double>(values[2][c]) * scale));
  }
  return affine;
}

/// For each element of the weights the output channel that it belongs to.
Result<std::vector<std::size_t>> OutputChannelOfEach(const onnx::NodeProto& node,
                                                     const std::vector<std::int64_t>& dims,
                                                     std::size_t channels) {
  std::size_t count = 1;
  for (const std::int64_t dim : dims) count *= Index(dim);
  std::vector<std::size_t> result(count);
  std::size_t outer = 1;  // Elements before the channel axis repeat with this period.
  std::size_t axis_size = 0;
  std::size_t group_factor = 1;
  if (IsOp(node, "Conv") && !dims.empty()) {
    axis_size = Index(dims[0]);
  } else if (IsOp(node, "ConvTranspose") && dims.size() > 2) {
    outer = Index(dims[0]);
    axis_size = Index(dims[1]);
    group_factor = Index(IntAttribute(node, "group", 1));
  } else if (IsOp(node, "Gemm") && dims.size() == 2) {
    const bool transposed = IntAttribute(node, "transB", 0) != 0;
    outer = transposed ? 1 : Index(dims[0]);
    axis_size = Index(transposed ? dims[0] : dims[1]);
  }
  if (group_factor == 0 || axis_size * group_factor != channels || outer % group_factor != 0 ||
      count == 0) {
    return Fail(
        ErrorCode::kInvalidModel,
        fmt::format("{}: {} channels do not fit weights of other sizes", Describe(node), channels));
  }
  const std::size_t inner = count / (outer * axis_size);
  const std::size_t rows_per_group = outer / group_factor;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t group = i / (inner * axis_size) / rows_per_group;
    result[i] = group * axis_size + (i / inner) % axis_size;
  }
  return result;
}

Result<bool> FoldInto(Graph& graph, onnx::NodeProto& node, const ChannelAffine& affine) {
  const onnx::TensorProto* weights = graph.FindInitializer(node.input(1));
  const bool has_bias = node.input_size() > 2 && !node.input(2).empty();
  const onnx::TensorProto* bias = has_bias ? graph.FindInitializer(node.input(2)) : nullptr;
  if (weights == nullptr || (has_bias && bias == nullptr)) return false;
  const std::size_t channels = affine.scale.size();
  KENNING_ASSIGN_OR_RETURN(std::vector<float> w, FloatsOf(*weights), Describe(node));
  const std::vector<std::int64_t> dims = DimsOf(*weights);
  KENNING_ASSIGN_OR_RETURN(const auto channel_of, OutputChannelOfEach(node, dims, channels));
  std::vector<float> b(channels, 0.0F);
  if (bias != nullptr) {
    KENNING_ASSIGN_OR_RETURN(b, FloatsOf(*bias), Describe(node));
    if (b.size() == 1) b.resize(channels, b[0]);
    if (b.size() != channels) return false;
  }
  for (std::size_t i = 0; i < w.size(); ++i) w[i] *= affine.scale[channel_of[i]];
  for (std::size_t c = 0; c < channels; ++c) b[c] = b[c] * affine.scale[c] + affine.shift[c];
  const std::string weight_name = graph.FreshName(node.input(1) + ".folded");
  const std::string bias_name = graph.FreshName(node.output(0) + ".bias");
  const auto channel_dim = static_cast<std::int64_t>(channels);
  graph.AddInitializer(MakeFloatTensor(weight_name, dims, w));
  graph.AddInitializer(MakeFloatTensor(bias_name, {&channel_dim, 1}, b));
  node.set_input(1, weight_name);
  if (node.input_size() > 2) {
    node.set_input(2, bias_name);
  } else {
    node.add_input(bias_name);
  }
  return true;
}

bool CanFoldInto(const onnx::NodeProto& node) {
  if (node.input_size() < 2) return false;
  if (IsOp(node, "Conv") || IsOp(node, "ConvTranspose")) return true;
  return IsOp(node, "Gemm") && FloatAttribute(node, "alpha", 1) == 1.0F &&
         FloatAttribute(node, "beta", 1) == 1.0F;
}

Result<> ScaleInitializer(Graph& graph, onnx::NodeProto& node, int input, float factor) {
  const onnx::TensorProto* tensor = graph.FindInitializer(node.input(input));
  KENNING_ASSIGN_OR_RETURN(std::vector<float> values, FloatsOf(*tensor), Describe(node));
  for (float& value : values) value *= factor;
  const std::string name = graph.FreshName(node.input(input) + ".scaled");
  graph.AddInitializer(MakeFloatTensor(name, DimsOf(*tensor), values));
  node.set_input(input, name);
  return {};
}

}  // namespace

void NameNodes(Graph& graph) {
  std::unordered_set<std::string> names;
  for (int i = 0; i < graph.node_count(); ++i) {
    onnx::NodeProto& node = graph.mutable_node(i);
    if (!node.name().empty() && names.insert(node.name()).second) continue;
    const std::string& stem =
        node.name().empty() ? fmt::format("{}_{}", node.op_type(), i) : node.name();
    node.set_name(graph.FreshName(stem));
    names.insert(node.name());
  }
}

void ConstantsToInitializers(Graph& graph) {
  std::vector<bool> remove(Index(graph.node_count()), false);
  for (int i = 0; i < graph.node_count(); ++i) {
    const onnx::NodeProto& node = graph.node(i);
    if (!IsOp(node, "Constant") || node.output_size() != 1 || graph.IsOutput(node.output(0))) {
      continue;
    }
    std::optional<onnx::TensorProto> value = ConstantValue(node);
    if (!value || !CheckTensor(*value)) continue;
    value->set_name(node.output(0));
    graph.AddInitializer(*std::move(value));
    remove[Index(i)] = true;
  }
  graph.RemoveNodes(remove);
  auto* inputs = graph.proto().mutable_input();
  for (int i = inputs->size() - 1; i >= 0; --i) {
    if (graph.FindInitializer(inputs->Get(i).name()) != nullptr) inputs->DeleteSubrange(i, 1);
  }
  graph.Refresh();
}

void RemoveIdentities(Graph& graph) {
  std::vector<bool> remove(Index(graph.node_count()), false);
  for (int i = 0; i < graph.node_count(); ++i) {
    const onnx::NodeProto& node = graph.node(i);
    const bool dropout = IsOp(node, "Dropout") && node.input_size() < 3 &&
                         (node.output_size() < 2 || node.output(1).empty());
    if ((!IsOp(node, "Identity") && !dropout) || node.output_size() == 0) continue;
    const std::string from = node.output(0);
    const std::string to = node.input(0);
    if (graph.IsOutput(from) || graph.IsReadBySubgraph(from)) continue;
    remove[Index(i)] = true;
    graph.Rewire(from, to);
  }
  graph.RemoveNodes(remove);
}

Result<int> FoldBatchNormalization(Graph& graph) {
  std::vector<bool> remove(Index(graph.node_count()), false);
  int folded = 0;
  for (int i = 0; i < graph.node_count(); ++i) {
    const onnx::NodeProto norm = graph.node(i);
    if (!IsOp(norm, "BatchNormalization") || norm.output_size() != 1) continue;
    const int producer = graph.ProducerOf(norm.input(0));
    if (producer < 0 || !graph.HasSingleConsumer(norm.input(0))) continue;
    onnx::NodeProto& node = graph.mutable_node(producer);
    if (!CanFoldInto(node)) continue;
    KENNING_ASSIGN_OR_RETURN(const auto affine, AffineOf(graph, norm));
    if (!affine) continue;
    KENNING_ASSIGN_OR_RETURN(const bool done, FoldInto(graph, node, *affine));
    if (!done) continue;
    node.set_output(0, norm.output(0));
    remove[Index(i)] = true;
    ++folded;
  }
  graph.RemoveNodes(remove);
  graph.DropUnused();
  return folded;
}

Result<> FoldGemmFactors(Graph& graph) {
  for (int i = 0; i < graph.node_count(); ++i) {
    onnx::NodeProto& node = graph.mutable_node(i);
    if (!IsOp(node, "Gemm") || node.input_size() < 2) continue;
    const float alpha = FloatAttribute(node, "alpha", 1.0F);
    const float beta = FloatAttribute(node, "beta", 1.0F);
    const bool has_bias = node.input_size() > 2 && !node.input(2).empty();
    if (alpha != 1.0F && graph.FindInitializer(node.input(1)) != nullptr) {
      KENNING_RETURN_IF_ERROR(ScaleInitializer(graph, node, 1, alpha));
      SetFloatAttribute(node, "alpha", 1.0F);
    }
    if (beta != 1.0F && has_bias && graph.FindInitializer(node.input(2)) != nullptr) {
      KENNING_RETURN_IF_ERROR(ScaleInitializer(graph, node, 2, beta));
      SetFloatAttribute(node, "beta", 1.0F);
    }
  }
  graph.DropUnused();
  return {};
}

int MergeMatMulAdd(Graph& graph, const RankOf& rank_of) {
  std::vector<bool> remove(Index(graph.node_count()), false);
  int merged = 0;
  for (int i = 0; i < graph.node_count(); ++i) {
    const onnx::NodeProto add = graph.node(i);
    if (!IsOp(add, "Add")) continue;
    for (int side = 0; side < 2; ++side) {
      const int producer = graph.ProducerOf(add.input(side));
      const onnx::TensorProto* bias = graph.FindInitializer(add.input(1 - side));
      if (producer < 0 || bias == nullptr || !graph.HasSingleConsumer(add.input(side))) continue;
      onnx::NodeProto& product = graph.mutable_node(producer);
      if (!IsOp(product, "MatMul") || rank_of(product.input(0)) != 2) continue;
      const onnx::TensorProto* weights = graph.FindInitializer(product.input(1));
      if (weights == nullptr || weights->dims_size() != 2 || bias->dims_size() != 1 ||
          bias->dims(0) != weights->dims(1)) {
        continue;
      }
      product.set_op_type("Gemm");
      product.add_input(add.input(1 - side));
      product.set_output(0, add.output(0));
      remove[Index(i)] = true;
      ++merged;
      break;
    }
  }
  graph.RemoveNodes(remove);
  return merged;
}

}  // namespace kenning::onnx_graph
