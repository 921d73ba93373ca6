// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes quantisation into a graph: QuantizeLinear and DequantizeLinear around activations, int8
/// weights and int32 biases behind DequantizeLinear.
#pragma once

#include <map>
#include <string>

#include "onnx_graph/graph.h"
#include "quantizer/activation_range.h"
#include "quantizer/calibration_run.h"
#include "quantizer/selection.h"

namespace kenning::quantizer {

/// What was decided, for the provenance.
struct QdqSummary {
  std::size_t nodes = 0;
  std::size_t layers = 0;          ///< With weights.
  std::size_t limited_layers = 0;  ///< Whose weight range kPairSafe made smaller.
  int smallest_range = 127;
};

/// The graph must be the one that `selection` and `statistics` are of.
Result<QdqSummary> WriteQdq(onnx_graph::Graph& graph, const Selection& selection,
                            const std::map<std::string, TensorStatistics>& statistics,
                            const Settings& settings);

}  // namespace kenning::quantizer
