// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/validate.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <queue>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/tensors.h"

namespace kenning::onnx_graph {
namespace {

using Names = std::unordered_set<std::string>;

/// The domains that ONNX defines or for which ONNX Runtime has kernels.
constexpr std::array<std::string_view, 10> kKnownDomains = {
    "",
    "ai.onnx",
    "ai.onnx.ml",
    "ai.onnx.training",
    "ai.onnx.preview.training",
    "com.microsoft",
    "com.microsoft.nchwc",
    "com.microsoft.experimental",
    "com.ms.internal.nhwc",
    "org.pytorch.aten",
};

bool IsKnownDomain(const std::string& domain) {
  return std::find(kKnownDomains.begin(), kKnownDomains.end(), domain) != kKnownDomains.end();
}

Result<> CheckDomains(const onnx::GraphProto& graph, const Names& own_domains, int depth);

Result<> CheckDomain(const onnx::NodeProto& node, const Names& own_domains, int depth) {
  if (!IsKnownDomain(node.domain()) && !own_domains.contains(node.domain())) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} is of the domain \"{}\", which neither ONNX nor ONNX Runtime "
                            "defines; export the model with standard operators",
                            Describe(node), node.domain()));
  }
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) {
      KENNING_RETURN_IF_ERROR(CheckDomains(attribute.g(), own_domains, depth + 1));
    }
    for (const onnx::GraphProto& graph : attribute.graphs()) {
      KENNING_RETURN_IF_ERROR(CheckDomains(graph, own_domains, depth + 1));
    }
  }
  return {};
}

Result<> CheckDomains(const onnx::GraphProto& graph, const Names& own_domains, int depth) {
  if (depth > kMaxSubgraphDepth) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("subgraph \"{}\" is nested deeper than {} levels", graph.name(),
                            kMaxSubgraphDepth));
  }
  for (const onnx::NodeProto& node : graph.node()) {
    KENNING_RETURN_IF_ERROR(CheckDomain(node, own_domains, depth));
  }
  return {};
}

/// Names that a node's subgraphs take from outside. Depth has been checked before.
void CollectOuterReads(const onnx::GraphProto& graph, Names& reads) {
  Names inner;
  for (const auto& input : graph.input()) inner.insert(input.name());
  for (const auto& tensor : graph.initializer()) inner.insert(tensor.name());
  for (const auto& tensor : graph.sparse_initializer()) inner.insert(tensor.values().name());
  for (const auto& node : graph.node()) inner.insert(node.output().begin(), node.output().end());
  const auto read = [&](const std::string& name) {
    if (!name.empty() && !inner.contains(name)) reads.insert(name);
  };
  for (const onnx::NodeProto& node : graph.node()) {
    for (const std::string& name : node.input()) read(name);
    Names nested;
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (attribute.has_g()) CollectOuterReads(attribute.g(), nested);
      for (const onnx::GraphProto& sub : attribute.graphs()) CollectOuterReads(sub, nested);
    }
    for (const std::string& name : nested) read(name);
  }
  for (const auto& output : graph.output()) read(output.name());
}

/// All names that a node needs: its inputs, and what its subgraphs take from outside.
Names ReadsOf(const onnx::NodeProto& node) {
  Names reads;
  for (const std::string& name : node.input()) {
    if (!name.empty()) reads.insert(name);
  }
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g()) CollectOuterReads(attribute.g(), reads);
    for (const onnx::GraphProto& graph : attribute.graphs()) CollectOuterReads(graph, reads);
  }
  return reads;
}

/// Names known before the first node: inputs and initializers, each once.
Result<Names> StartingNames(const onnx::GraphProto& graph) {
  Names inputs;
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (input.name().empty()) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("graph \"{}\" has an input without a name", graph.name()));
    }
    if (!inputs.insert(input.name()).second) {
      return Fail(
          ErrorCode::kInvalidModel,
          fmt::format("two inputs of graph \"{}\" are called \"{}\"", graph.name(), input.name()));
    }
  }
  Names initializers;
  const auto add = [&](const std::string& name) -> Result<> {
    if (name.empty()) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("graph \"{}\" has an initializer without a name", graph.name()));
    }
    if (initializers.insert(name).second) return {};
    return Fail(ErrorCode::kInvalidModel, fmt::format("two initializers are called \"{}\"", name));
  };
  for (const auto& tensor : graph.initializer()) KENNING_RETURN_IF_ERROR(add(tensor.name()));
  for (const auto& sparse : graph.sparse_initializer()) {
    KENNING_RETURN_IF_ERROR(add(sparse.values().name()));
  }
  // An initializer may also be listed as an input: its value is then a default.
  inputs.merge(initializers);
  return inputs;
}

using Producers = std::unordered_map<std::string, int>;

Result<Producers> ProducersOf(const onnx::GraphProto& graph, const Names& start) {
  Producers producers;
  for (int i = 0; i < graph.node_size(); ++i) {
    const onnx::NodeProto& node = graph.node(i);
    if (node.op_type().empty()) {
      return Fail(ErrorCode::kInvalidModel, Describe(node) + " has no operator type");
    }
    for (const std::string& output : node.output()) {
      if (output.empty()) continue;
      if (start.contains(output)) {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("{} writes \"{}\", which is an input or initializer already",
                                Describe(node), output));
      }
      const auto [at, fresh] = producers.emplace(output, i);
      if (!fresh) {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("\"{}\" is written twice: by {} and by {}", output,
                                Describe(graph.node(at->second)), Describe(node)));
      }
    }
  }
  return producers;
}

/// For each node the nodes that it waits for. Outer names are satisfied already.
Result<std::vector<std::set<int>>> DependenciesOf(const onnx::GraphProto& graph, const Names& start,
                                                  const Names& outer, const Producers& producers) {
  std::vector<std::set<int>> waits(static_cast<std::size_t>(graph.node_size()));
  for (int i = 0; i < graph.node_size(); ++i) {
    for (const std::string& name : ReadsOf(graph.node(i))) {
      if (const auto at = producers.find(name); at != producers.end()) {
        waits[static_cast<std::size_t>(i)].insert(at->second);
      } else if (!start.contains(name) && !outer.contains(name)) {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("{} reads \"{}\", which nothing in the model produces",
                                Describe(graph.node(i)), name));
      }
    }
  }
  return waits;
}

/// Stable topological order: among ready nodes the earliest in the file comes first.
Result<std::vector<int>> OrderOf(const onnx::GraphProto& graph,
                                 const std::vector<std::set<int>>& waits) {
  const std::size_t count = waits.size();
  std::vector<std::vector<int>> wakes(count);
  std::vector<std::size_t> open(count);
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (std::size_t i = 0; i < count; ++i) {
    open[i] = waits[i].size();
    for (const int before : waits[i]) {
      wakes[static_cast<std::size_t>(before)].push_back(static_cast<int>(i));
    }
    if (open[i] == 0) ready.push(static_cast<int>(i));
  }
  std::vector<int> order;
  order.reserve(count);
  while (!ready.empty()) {
    const int node = ready.top();
    ready.pop();
    order.push_back(node);
    for (const int next : wakes[static_cast<std::size_t>(node)]) {
      if (--open[static_cast<std::size_t>(next)] == 0) ready.push(next);
    }
  }
  if (order.size() == count) return order;
  const auto stuck = std::find_if(open.begin(), open.end(), [](std::size_t n) { return n > 0; });
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("the graph has a cycle through {}",
                          Describe(graph.node(static_cast<int>(stuck - open.begin())))));
}

void ReorderNodes(onnx::GraphProto& graph, const std::vector<int>& order) {
  if (std::is_sorted(order.begin(), order.end())) return;
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  nodes.Reserve(graph.node_size());
  for (const int i : order) nodes.Add()->Swap(graph.mutable_node(i));
  graph.mutable_node()->Swap(&nodes);
}

Result<> CheckGraph(onnx::GraphProto& graph, const Names& outer, int depth);

Result<> CheckSubgraphs(onnx::GraphProto& graph, const Names& visible, int depth) {
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) {
        KENNING_RETURN_IF_ERROR(CheckGraph(*attribute.mutable_g(), visible, depth + 1),
                                "in a subgraph of " + Describe(node));
      }
      for (onnx::GraphProto& sub : *attribute.mutable_graphs()) {
        KENNING_RETURN_IF_ERROR(CheckGraph(sub, visible, depth + 1),
                                "in a subgraph of " + Describe(node));
      }
    }
  }
  return {};
}

bool HasSubgraphs(const onnx::GraphProto& graph) {
  return std::any_of(graph.node().begin(), graph.node().end(), [](const onnx::NodeProto& node) {
    return std::any_of(
        node.attribute().begin(), node.attribute().end(),
        [](const onnx::AttributeProto& a) { return a.has_g() || a.graphs_size() > 0; });
  });
}

Result<> CheckGraph(onnx::GraphProto& graph, const Names& outer, int depth) {
  if (depth > kMaxSubgraphDepth) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("subgraph \"{}\" is nested deeper than {} levels", graph.name(),
                            kMaxSubgraphDepth));
  }
  KENNING_ASSIGN_OR_RETURN(const Names start, StartingNames(graph));
  KENNING_ASSIGN_OR_RETURN(const Producers producers, ProducersOf(graph, start));
  KENNING_ASSIGN_OR_RETURN(const auto waits, DependenciesOf(graph, start, outer, producers));
  KENNING_ASSIGN_OR_RETURN(const std::vector<int> order, OrderOf(graph, waits));
  for (const onnx::ValueInfoProto& output : graph.output()) {
    if (!producers.contains(output.name()) && !start.contains(output.name()) &&
        !outer.contains(output.name())) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("nothing in the model produces the output \"{}\"", output.name()));
    }
  }
  ReorderNodes(graph, order);
  if (!HasSubgraphs(graph)) return {};
  Names visible = outer;
  visible.insert(start.begin(), start.end());
  for (const auto& [name, node] : producers) visible.insert(name);
  return CheckSubgraphs(graph, visible, depth);
}

Result<> CheckDeclaredShape(const onnx::ValueInfoProto& value) {
  if (!value.type().has_tensor_type()) return {};
  for (const auto& dim : value.type().tensor_type().shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() < -1) {
      return Fail(ErrorCode::kInvalidModel, fmt::format("\"{}\" is declared with the dimension {}",
                                                        value.name(), dim.dim_value()));
    }
  }
  return {};
}

}  // namespace

std::string Describe(const onnx::NodeProto& node) {
  if (!node.name().empty()) return fmt::format("node \"{}\" ({})", node.name(), node.op_type());
  const std::string output = node.output_size() > 0 ? node.output(0) : "";
  return fmt::format("the node that writes \"{}\" ({})", output, node.op_type());
}

Result<> CheckVersionsAndDomains(const onnx::ModelProto& model) {
  if (model.ir_version() < kMinIrVersion || model.ir_version() > kMaxIrVersion) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("IR version {} is not supported; supported are {} to {}",
                            model.ir_version(), kMinIrVersion, kMaxIrVersion));
  }
  const std::int64_t opset = OpsetVersion(model);
  if (opset != 0 && (opset < kMinOpset || opset > kMaxOpset)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("operator set {} is not supported; supported are {} to {}; export the "
                            "model again, or convert it with onnx.version_converter",
                            opset, kMinOpset, kMaxOpset));
  }
  if (model.opset_import_size() == 0) {
    return Fail(ErrorCode::kInvalidModel, "the model names no operator set (opset_import)");
  }
  Names own_domains;
  for (const onnx::FunctionProto& function : model.functions()) {
    own_domains.insert(function.domain());
  }
  for (const onnx::FunctionProto& function : model.functions()) {
    for (const onnx::NodeProto& node : function.node()) {
      KENNING_RETURN_IF_ERROR(CheckDomain(node, own_domains, 0));
    }
  }
  return CheckDomains(model.graph(), own_domains, 0);
}

Result<> CheckAndSortGraph(onnx::GraphProto& graph) {
  for (const auto& value : graph.input()) KENNING_RETURN_IF_ERROR(CheckDeclaredShape(value));
  for (const auto& value : graph.output()) KENNING_RETURN_IF_ERROR(CheckDeclaredShape(value));
  KENNING_RETURN_IF_ERROR(CheckGraph(graph, {}, 0));
  return ForEachTensor(graph, [](onnx::TensorProto& tensor) { return CheckTensor(tensor); });
}

Result<> ForEachTensor(onnx::GraphProto& graph,
                       const std::function<Result<>(onnx::TensorProto&)>& visit) {
  for (auto& tensor : *graph.mutable_initializer()) KENNING_RETURN_IF_ERROR(visit(tensor));
  for (auto& sparse : *graph.mutable_sparse_initializer()) {
    KENNING_RETURN_IF_ERROR(visit(*sparse.mutable_values()));
    KENNING_RETURN_IF_ERROR(visit(*sparse.mutable_indices()));
  }
  for (onnx::NodeProto& node : *graph.mutable_node()) {
    for (onnx::AttributeProto& attribute : *node.mutable_attribute()) {
      if (attribute.has_t()) KENNING_RETURN_IF_ERROR(visit(*attribute.mutable_t()), Describe(node));
      for (auto& tensor : *attribute.mutable_tensors()) {
        KENNING_RETURN_IF_ERROR(visit(tensor), Describe(node));
      }
      if (attribute.has_g()) KENNING_RETURN_IF_ERROR(ForEachTensor(*attribute.mutable_g(), visit));
      for (auto& sub : *attribute.mutable_graphs()) {
        KENNING_RETURN_IF_ERROR(ForEachTensor(sub, visit));
      }
    }
  }
  return {};
}

}  // namespace kenning::onnx_graph
