// SPDX-License-Identifier: Apache-2.0
/// \file
/// A light view of a checked GraphProto: who writes and reads what, attributes, fresh names. Knows
/// the graph's form, not the operators' meaning. Not thread-safe.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"

namespace kenning::onnx_graph {

/// Borrows the graph. Nodes are addressed by index; after nodes were added, removed or rewired call
/// Refresh. Initializers may be added through AddInitializer without a refresh.
class Graph {
 public:
  explicit Graph(onnx::GraphProto& proto) : proto_(&proto) { Refresh(); }
  void Refresh();

  onnx::GraphProto& proto() { return *proto_; }
  const onnx::GraphProto& proto() const { return *proto_; }
  int node_count() const { return proto_->node_size(); }
  const onnx::NodeProto& node(int index) const { return proto_->node(index); }
  onnx::NodeProto& mutable_node(int index) { return *proto_->mutable_node(index); }

  /// Index of the node that writes `tensor`; -1 for inputs, initializers and unknown names.
  int ProducerOf(const std::string& tensor) const;
  /// Nodes that read `tensor`, in order, each once.
  const std::vector<int>& ConsumersOf(const std::string& tensor) const;
  bool IsOutput(const std::string& tensor) const { return outputs_.contains(tensor); }
  bool IsInput(const std::string& tensor) const { return inputs_.contains(tensor); }
  /// Whether a subgraph of some node reads the tensor.
  bool IsReadBySubgraph(const std::string& tensor) const {
    return subgraph_reads_.contains(tensor);
  }
  /// Read by one node only, and neither an output nor read by a subgraph.
  bool HasSingleConsumer(const std::string& tensor) const;
  /// Null where `tensor` is no initializer.
  const onnx::TensorProto* FindInitializer(const std::string& tensor) const;
  onnx::TensorProto* FindMutableInitializer(const std::string& tensor);

  onnx::TensorProto* AddInitializer(onnx::TensorProto tensor);
  /// `wanted`, or `wanted_1`, …: a name that neither tensors nor nodes have.
  std::string FreshName(const std::string& wanted);
  /// Removes the nodes for which `remove[index]` is set, then refreshes.
  void RemoveNodes(const std::vector<bool>& remove);
  /// Every reader of `from` (subgraphs excepted) reads `to` instead; then refreshes.
  void Rewire(const std::string& from, const std::string& to);
  /// Drops initializers and value infos that nothing refers to.
  void DropUnused();

 private:
  onnx::GraphProto* proto_;
  std::unordered_map<std::string, int> producers_;
  std::unordered_map<std::string, std::vector<int>> consumers_;
  std::unordered_map<std::string, int> initializers_;
  std::unordered_set<std::string> inputs_;
  std::unordered_set<std::string> outputs_;
  std::unordered_set<std::string> subgraph_reads_;
  std::unordered_set<std::string> taken_names_;
};

/// The model's bytes with further tensors as outputs; those that are inputs or outputs already are
/// passed over. \return kResourceExhausted above the 2 GiB of a protobuf.
Result<std::string> SerializeWithOutputs(const onnx::ModelProto& model,
                                         const std::vector<std::string>& tensors);

/// Names of the tensors that depend on the values of the graph's inputs, inputs excepted, in order
/// of computation. What depends on initializers alone is not among them.
std::vector<std::string> LiveTensors(const onnx::GraphProto& graph);

/// Attribute access with defaults.
const onnx::AttributeProto* FindAttribute(const onnx::NodeProto& node, const std::string& name);
std::int64_t IntAttribute(const onnx::NodeProto& node, const std::string& name,
                          std::int64_t default_value);
float FloatAttribute(const onnx::NodeProto& node, const std::string& name, float default_value);
std::vector<std::int64_t> IntsAttribute(const onnx::NodeProto& node, const std::string& name);
void SetIntAttribute(onnx::NodeProto& node, const std::string& name, std::int64_t value);
void SetFloatAttribute(onnx::NodeProto& node, const std::string& name, float value);
void RemoveAttribute(onnx::NodeProto& node, const std::string& name);

/// Whether the node is a standard operator of this type.
bool IsOp(const onnx::NodeProto& node, std::string_view op_type);

}  // namespace kenning::onnx_graph
