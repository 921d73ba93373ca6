// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/passes.h"
#include "onnx_graph/tensors.h"
#include "onnx_graph/validate.h"

namespace kenning::onnx_graph {
namespace {

constexpr std::int64_t kTargetOpset = 13;

/// Operators whose meaning or inputs changed in `changed_in` in a way that has no conversion here.
struct Barrier {
  std::string_view op_type;
  std::int64_t changed_in;
};
constexpr std::array<Barrier, 5> kBarriers = {{
    {"Slice", 10},
    {"TopK", 10},
    {"Upsample", 10},
    {"Resize", 11},
    {"OneHot", 11},
}};

/// Operators that took a list as attribute until `changed_in`, and take it as an input since.
struct MovedList {
  std::string_view op_type;
  const char* attribute;
  std::int64_t changed_in;
};
constexpr std::array<MovedList, 5> kMovedLists = {{
    {"Squeeze", "axes", 13},
    {"Unsqueeze", "axes", 13},
    {"ReduceSum", "axes", 13},
    {"Split", "split", 13},
    {"Pad", "pads", 11},
}};

std::string AddFloat(Graph& graph, const std::string& wanted, float value) {
  const std::string name = graph.FreshName(wanted);
  graph.AddInitializer(MakeFloatTensor(name, {}, {&value, 1}));
  return name;
}

void MoveList(Graph& graph, onnx::NodeProto& node, const char* attribute) {
  if (FindAttribute(node, attribute) == nullptr) return;
  const std::vector<std::int64_t> values = IntsAttribute(node, attribute);
  const auto dim = static_cast<std::int64_t>(values.size());
  const std::string name = graph.FreshName(fmt::format("{}.{}", node.output(0), attribute));
  graph.AddInitializer(MakeRawTensor(name, onnx::TensorProto::INT64, {&dim, 1}, values.data(),
                                     values.size() * sizeof(std::int64_t)));
  node.add_input(name);
  RemoveAttribute(node, attribute);
}

void RaiseClip(Graph& graph, onnx::NodeProto& node) {
  for (const char* attribute : {"min", "max"}) {
    const float limit = std::numeric_limits<float>::max();
    const float value =
        FloatAttribute(node, attribute, std::string_view(attribute) == "min" ? -limit : limit);
    node.add_input(AddFloat(graph, fmt::format("{}.{}", node.output(0), attribute), value));
    RemoveAttribute(node, attribute);
  }
}

void RaisePad(Graph& graph, onnx::NodeProto& node) {
  const float value = FloatAttribute(node, "value", 0.0F);
  RemoveAttribute(node, "value");
  node.add_input(AddFloat(graph, node.output(0) + ".value", value));
}

Error Changed(const onnx::NodeProto& node, std::int64_t opset) {
  return {ErrorCode::kUnsupported,
          fmt::format("quantisation needs operator set {} or newer; the model has {}, and {} "
                      "changed in between; export the model again with a newer operator set",
                      kTargetOpset, opset, Describe(node))};
}

/// Before opset 13 the axes from `axis` on were flattened together; since then only `axis` counts.
Result<> RaiseSoftmax(onnx::NodeProto& node, std::int64_t opset, const RankOf& rank_of) {
  const std::int64_t axis = IntAttribute(node, "axis", 1);
  const std::optional<int> rank = rank_of(node.input(0));
  if (axis != -1 && (!rank || axis != *rank - 1)) return Fail(Changed(node, opset));
  SetIntAttribute(node, "axis", -1);
  return {};
}

Result<> RaiseNode(Graph& graph, onnx::NodeProto& node, std::int64_t opset, const RankOf& rank_of) {
  for (const Barrier& barrier : kBarriers) {
    if (node.op_type() == barrier.op_type && opset < barrier.changed_in) {
      return Fail(Changed(node, opset));
    }
  }
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g() || attribute.graphs_size() > 0) return Fail(Changed(node, opset));
  }
  for (const MovedList& moved : kMovedLists) {
    if (node.op_type() == moved.op_type && opset < moved.changed_in) {
      MoveList(graph, node, moved.attribute);
    }
  }
  if (opset < 11 && node.op_type() == "Clip") RaiseClip(graph, node);
  if (opset < 11 && node.op_type() == "Pad") RaisePad(graph, node);
  if (opset < 12 && node.op_type() == "Dropout") RemoveAttribute(node, "ratio");
  if (opset < 9 && node.op_type() == "BatchNormalization") RemoveAttribute(node, "spatial");
  const bool softmax =
      node.op_type() == "Softmax" || node.op_type() == "LogSoftmax" || node.op_type() == "Hardmax";
  return softmax ? RaiseSoftmax(node, opset, rank_of) : Result<>();
}

}  // namespace

Result<> RaiseOpset(onnx::ModelProto& model, const RankOf& rank_of) {
  const std::int64_t opset = OpsetVersion(model);
  if (opset >= kTargetOpset) return {};
  if (opset == 0) {
    return Fail(ErrorCode::kUnsupported, "the model does not import the standard operator set");
  }
  if (model.functions_size() > 0) {
    return Fail(ErrorCode::kUnsupported,
                "a model with functions of its own must have operator set 13 or newer");
  }
  Graph graph(*model.mutable_graph());
  for (int i = 0; i < graph.node_count(); ++i) {
    onnx::NodeProto& node = graph.mutable_node(i);
    if (!node.domain().empty() && node.domain() != "ai.onnx") continue;
    KENNING_RETURN_IF_ERROR(RaiseNode(graph, node, opset, rank_of));
  }
  for (auto& import : *model.mutable_opset_import()) {
    if (import.domain().empty() || import.domain() == "ai.onnx") import.set_version(kTargetOpset);
  }
  return {};
}

}  // namespace kenning::onnx_graph
