// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which nodes of a prepared float graph are quantised, and which tensors get a quantiser.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "onnx_graph/graph.h"
#include "quantizer/settings.h"

namespace kenning::quantizer {

struct Selection {
  std::set<int> nodes;  ///< Indices of quantised nodes.
  /// Activations that get QuantizeLinear and DequantizeLinear.
  std::set<std::string> tensors;
  /// Output of a node that only moves values -> the tensor whose range it shares.
  std::map<std::string, std::string> shares;
  /// Constant operands of quantised nodes other than weights and biases.
  std::set<std::string> constants;

  /// The tensor at the start of a chain of `shares`.
  const std::string& RangeOwner(const std::string& tensor) const;
};

/// \return kUnsupported where nothing can be quantised, saying why; kInvalidScenario for node names
/// or types in the settings that the model does not have.
Result<Selection> SelectNodes(const onnx_graph::Graph& graph, const Settings& settings);

/// A Conv, ConvTranspose, Gemm or MatMul by a constant: index of its input, weights, bias.
bool HasWeights(const onnx::NodeProto& node);

}  // namespace kenning::quantizer
