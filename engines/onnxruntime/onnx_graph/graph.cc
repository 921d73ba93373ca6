// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/graph.h"

#include <fmt/format.h>

#include <algorithm>

namespace kenning::onnx_graph {
namespace {

template <typename Visit>
void ForEachSubgraph(const onnx::NodeProto& node, Visit&& visit) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) visit(attribute.g());
    for (const onnx::GraphProto& graph : attribute.graphs()) visit(graph);
  }
}

/// All names that occur in a subgraph: a superset of what it reads from outside.
void CollectNames(const onnx::GraphProto& graph, std::unordered_set<std::string>& names) {
  for (const onnx::NodeProto& node : graph.node()) {
    names.insert(node.input().begin(), node.input().end());
    names.insert(node.output().begin(), node.output().end());
    ForEachSubgraph(node, [&](const onnx::GraphProto& sub) { CollectNames(sub, names); });
  }
  for (const auto& output : graph.output()) names.insert(output.name());
}

}  // namespace

void Graph::Refresh() {
  producers_.clear();
  consumers_.clear();
  initializers_.clear();
  inputs_.clear();
  outputs_.clear();
  subgraph_reads_.clear();
  for (int i = 0; i < proto_->node_size(); ++i) {
    const onnx::NodeProto& node = proto_->node(i);
    taken_names_.insert(node.name());
    for (const std::string& name : node.output()) producers_[name] = i;
    for (const std::string& name : node.input()) {
      std::vector<int>& readers = consumers_[name];
      if (!name.empty() && (readers.empty() || readers.back() != i)) readers.push_back(i);
    }
    ForEachSubgraph(node, [&](const onnx::GraphProto& sub) { CollectNames(sub, subgraph_reads_); });
  }
  producers_.erase("");
  consumers_.erase("");
  for (int i = 0; i < proto_->initializer_size(); ++i) {
    initializers_[proto_->initializer(i).name()] = i;
  }
  for (const auto& input : proto_->input()) inputs_.insert(input.name());
  for (const auto& output : proto_->output()) outputs_.insert(output.name());
  for (const auto& [name, index] : producers_) taken_names_.insert(name);
  for (const auto& [name, index] : initializers_) taken_names_.insert(name);
  taken_names_.insert(inputs_.begin(), inputs_.end());
  taken_names_.insert(subgraph_reads_.begin(), subgraph_reads_.end());
}

int Graph::ProducerOf(const std::string& tensor) const {
  const auto at = producers_.find(tensor);
  return at == producers_.end() ? -1 : at->second;
}

const std::vector<int>& Graph::ConsumersOf(const std::string& tensor) const {
  static const std::vector<int> none;
  const auto at = consumers_.find(tensor);
  return at == consumers_.end() ? none : at->second;
}

bool Graph::HasSingleConsumer(const std::string& tensor) const {
  return ConsumersOf(tensor).size() == 1 && !IsOutput(tensor) && !IsReadBySubgraph(tensor);
}

const onnx::TensorProto* Graph::FindInitializer(const std::string& tensor) const {
  const auto at = initializers_.find(tensor);
  return at == initializers_.end() ? nullptr : &proto_->initializer(at->second);
}

onnx::TensorProto* Graph::FindMutableInitializer(const std::string& tensor) {
  const auto at = initializers_.find(tensor);
  return at == initializers_.end() ? nullptr : proto_->mutable_initializer(at->second);
}

onnx::TensorProto* Graph::AddInitializer(onnx::TensorProto tensor) {
  initializers_[tensor.name()] = proto_->initializer_size();
  taken_names_.insert(tensor.name());
  onnx::TensorProto* added = proto_->add_initializer();
  *added = std::move(tensor);
  return added;
}

std::string Graph::FreshName(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 1; !taken_names_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

void Graph::RemoveNodes(const std::vector<bool>& remove) {
  google::protobuf::RepeatedPtrField<onnx::NodeProto> kept;
  for (int i = 0; i < proto_->node_size(); ++i) {
    if (!remove[static_cast<std::size_t>(i)]) kept.Add()->Swap(proto_->mutable_node(i));
  }
  proto_->mutable_node()->Swap(&kept);
  Refresh();
}

void Graph::Rewire(const std::string& from, const std::string& to) {
  for (onnx::NodeProto& node : *proto_->mutable_node()) {
    for (std::string& input : *node.mutable_input()) {
      if (input == from) input = to;
    }
  }
  Refresh();
}

void Graph::DropUnused() {
  Refresh();
  const auto used = [&](const std::string& name) {
    return consumers_.contains(name) || outputs_.contains(name) || subgraph_reads_.contains(name);
  };
  google::protobuf::RepeatedPtrField<onnx::TensorProto> kept;
  for (onnx::TensorProto& tensor : *proto_->mutable_initializer()) {
    if (used(tensor.name())) kept.Add()->Swap(&tensor);
  }
  proto_->mutable_initializer()->Swap(&kept);
  google::protobuf::RepeatedPtrField<onnx::ValueInfoProto> infos;
  for (onnx::ValueInfoProto& info : *proto_->mutable_value_info()) {
    if (producers_.contains(info.name()) && !outputs_.contains(info.name())) {
      infos.Add()->Swap(&info);
    }
  }
  proto_->mutable_value_info()->Swap(&infos);
  Refresh();
}

Result<std::string> SerializeWithOutputs(const onnx::ModelProto& model,
                                         const std::vector<std::string>& tensors) {
  std::unordered_set<std::string> known;
  for (const auto& output : model.graph().output()) known.insert(output.name());
  for (const auto& input : model.graph().input()) known.insert(input.name());
  onnx::ModelProto further;
  for (const std::string& tensor : tensors) {
    if (known.insert(tensor).second) further.mutable_graph()->add_output()->set_name(tensor);
  }
  // Protobuf messages merge by concatenation: no second copy of the weights is made.
  std::string bytes;
  if (!model.AppendToString(&bytes) || !further.AppendToString(&bytes)) {
    return Fail(ErrorCode::kResourceExhausted, "the model is too large to be written as one file");
  }
  return bytes;
}

std::vector<std::string> LiveTensors(const onnx::GraphProto& graph) {
  std::unordered_set<std::string> live;
  for (const auto& input : graph.input()) live.insert(input.name());
  for (const auto& tensor : graph.initializer()) live.erase(tensor.name());
  std::vector<std::string> names;
  for (const onnx::NodeProto& node : graph.node()) {
    std::unordered_set<std::string> reads(node.input().begin(), node.input().end());
    ForEachSubgraph(node, [&](const onnx::GraphProto& sub) { CollectNames(sub, reads); });
    // The sizes of a tensor are no values of it.
    const bool depends =
        std::ranges::any_of(reads, [&](const std::string& name) { return live.contains(name); });
    if (!depends || IsOp(node, "Shape")) continue;
    for (const std::string& output : node.output()) {
      if (output.empty()) continue;
      live.insert(output);
      names.push_back(output);
    }
  }
  return names;
}

const onnx::AttributeProto* FindAttribute(const onnx::NodeProto& node, const std::string& name) {
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

std::int64_t IntAttribute(const onnx::NodeProto& node, const std::string& name,
                          std::int64_t default_value) {
  const onnx::AttributeProto* attribute = FindAttribute(node, name);
  return attribute == nullptr ? default_value : attribute->i();
}

float FloatAttribute(const onnx::NodeProto& node, const std::string& name, float default_value) {
  const onnx::AttributeProto* attribute = FindAttribute(node, name);
  return attribute == nullptr ? default_value : attribute->f();
}

std::vector<std::int64_t> IntsAttribute(const onnx::NodeProto& node, const std::string& name) {
  const onnx::AttributeProto* attribute = FindAttribute(node, name);
  if (attribute == nullptr) return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

void RemoveAttribute(onnx::NodeProto& node, const std::string& name) {
  auto* attributes = node.mutable_attribute();
  for (int i = attributes->size() - 1; i >= 0; --i) {
    if (attributes->Get(i).name() == name) attributes->DeleteSubrange(i, 1);
  }
}

void SetIntAttribute(onnx::NodeProto& node, const std::string& name, std::int64_t value) {
  RemoveAttribute(node, name);
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::INT);
  attribute->set_i(value);
}

void SetFloatAttribute(onnx::NodeProto& node, const std::string& name, float value) {
  RemoveAttribute(node, name);
  onnx::AttributeProto* attribute = node.add_attribute();
  attribute->set_name(name);
  attribute->set_type(onnx::AttributeProto::FLOAT);
  attribute->set_f(value);
}

bool IsOp(const onnx::NodeProto& node, std::string_view op_type) {
  return node.op_type() == op_type && (node.domain().empty() || node.domain() == "ai.onnx");
}

}  // namespace kenning::onnx_graph
