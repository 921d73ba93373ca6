// SPDX-License-Identifier: Apache-2.0
#include "quantizer/equalize.h"

#include <algorithm>
#include <cmath>

#include "onnx_graph/tensors.h"
#include "onnx_graph/validate.h"
#include "quantizer/selection.h"
#include "quantizer/weights.h"

namespace kenning::quantizer {
namespace {

using onnx_graph::Graph;
using onnx_graph::IsOp;

constexpr int kRounds = 20;
constexpr double kConverged = 1e-3;

/// One layer's weights, open for change.
struct Layer {
  int node = -1;
  std::vector<float> weights;
  std::vector<float> bias;  ///< Empty: none.
  WeightLayout layout;
};

struct Pair {
  std::size_t first;
  std::size_t second;
};

bool IsLayer(const Graph& graph, int index) {
  if (index < 0) return false;
  const onnx::NodeProto& node = graph.node(index);
  if (!(IsOp(node, "Conv") || IsOp(node, "Gemm")) || node.input_size() < 2) return false;
  const auto own = [&graph](const std::string& name) {
    return graph.FindInitializer(name) != nullptr && graph.HasSingleConsumer(name) &&
           graph.FindInitializer(name)->data_type() == onnx::TensorProto::FLOAT;
  };
  const bool has_bias = node.input_size() > 2 && !node.input(2).empty();
  return own(node.input(1)) && (!has_bias || own(node.input(2)));
}

Result<Layer> ReadLayer(const Graph& graph, int index) {
  const onnx::NodeProto& node = graph.node(index);
  const onnx::TensorProto& tensor = *graph.FindInitializer(node.input(1));
  Layer layer;
  layer.node = index;
  KENNING_ASSIGN_OR_RETURN(layer.weights, onnx_graph::FloatsOf(tensor));
  KENNING_ASSIGN_OR_RETURN(layer.layout, LayoutOf(node, onnx_graph::DimsOf(tensor)));
  if (node.input_size() > 2 && !node.input(2).empty()) {
    KENNING_ASSIGN_OR_RETURN(layer.bias,
                             onnx_graph::FloatsOf(*graph.FindInitializer(node.input(2))));
  }
  return layer;
}

/// Calls `use` with each weight that input channel `channel` of the layer is multiplied with.
template <typename Use>
void ForInputChannel(Layer& layer, std::size_t channel, Use use) {
  const WeightLayout& layout = layer.layout;
  const std::size_t kernel = layout.terms / std::max<std::size_t>(layout.input_channels, 1);
  const std::size_t group = channel / layout.input_channels;
  const std::size_t inside = channel % layout.input_channels;
  for (std::size_t c = 0; c < layout.group_channels; ++c) {
    for (std::size_t k = 0; k < kernel; ++k) {
      use(layer.weights[layout.at(group * layout.group_channels + c, inside * kernel + k)]);
    }
  }
}

std::size_t InputChannels(const Layer& layer) {
  return layer.layout.input_channels * layer.layout.channels / layer.layout.group_channels;
}

/// Equalises one pair. \return the largest change of a scale, as a factor's distance from 1.
double Balance(Layer& first, Layer& second) {
  double change = 0;
  for (std::size_t c = 0; c < first.layout.channels; ++c) {
    double out = 0;
    for (std::size_t t = 0; t < first.layout.terms; ++t) {
      out = std::max(out, std::abs(static_cast<double>(first.weights[first.layout.at(c, t)])));
    }
    double in = 0;
    ForInputChannel(second, c, [&in](float weight) {
      in = std::max(in, std::abs(static_cast<double>(weight)));
    });
    if (out <= 0 || in <= 0) continue;
    const double factor = std::clamp(std::sqrt(in / out), 1e-3, 1e3);
    change = std::max(change, std::abs(factor - 1));
    const auto up = static_cast<float>(factor);
    for (std::size_t t = 0; t < first.layout.terms; ++t) first.weights[first.layout.at(c, t)] *= up;
    if (c < first.bias.size()) first.bias[c] *= up;
    ForInputChannel(second, c, [up](float& weight) { weight /= up; });
  }
  return change;
}

void WriteLayer(Graph& graph, const Layer& layer) {
  const onnx::NodeProto& node = graph.node(layer.node);
  onnx::TensorProto& weights = *graph.FindMutableInitializer(node.input(1));
  weights = onnx_graph::MakeFloatTensor(weights.name(), onnx_graph::DimsOf(weights), layer.weights);
  if (layer.bias.empty()) return;
  onnx::TensorProto& bias = *graph.FindMutableInitializer(node.input(2));
  bias = onnx_graph::MakeFloatTensor(bias.name(), onnx_graph::DimsOf(bias), layer.bias);
}

/// The layer that alone takes this one's output, through a Relu at most; -1 where there is none.
int NextLayer(const Graph& graph, int index) {
  std::string output = graph.node(index).output(0);
  for (int step = 0; step < 2; ++step) {
    if (!graph.HasSingleConsumer(output)) return -1;
    const int next = graph.ConsumersOf(output)[0];
    if (IsLayer(graph, next) && graph.node(next).input(0) == output) return next;
    if (!IsOp(graph.node(next), "Relu")) return -1;
    output = graph.node(next).output(0);
  }
  return -1;
}

}  // namespace

Result<int> EqualizeLayers(Graph& graph) {
  std::vector<Layer> layers;
  std::unordered_map<int, std::size_t> place;
  const auto layer_at = [&](int index) -> Result<std::size_t> {
    const auto known = place.find(index);
    if (known != place.end()) return known->second;
    KENNING_ASSIGN_OR_RETURN(Layer layer, ReadLayer(graph, index),
                             onnx_graph::Describe(graph.node(index)));
    layers.push_back(std::move(layer));
    return place[index] = layers.size() - 1;
  };
  std::vector<Pair> pairs;
  for (int i = 0; i < graph.node_count(); ++i) {
    if (!IsLayer(graph, i)) continue;
    const int next = NextLayer(graph, i);
    if (next < 0) continue;
    KENNING_ASSIGN_OR_RETURN(const std::size_t first, layer_at(i));
    KENNING_ASSIGN_OR_RETURN(const std::size_t second, layer_at(next));
    if (InputChannels(layers[second]) != layers[first].layout.channels) continue;
    pairs.push_back({first, second});
  }
  for (int round = 0; round < kRounds; ++round) {
    double change = 0;
    for (const Pair& pair : pairs) {
      change = std::max(change, Balance(layers[pair.first], layers[pair.second]));
    }
    if (change < kConverged) break;
  }
  for (const Layer& layer : layers) WriteLayer(graph, layer);
  graph.Refresh();
  return static_cast<int>(pairs.size());
}

}  // namespace kenning::quantizer
