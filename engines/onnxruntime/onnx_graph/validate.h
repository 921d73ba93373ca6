// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rules that a parsed model must satisfy. Private to onnx_graph. Operators' own rules
/// (attributes, ranks) are left to ONNX Runtime.
#pragma once

#include <functional>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"

namespace kenning::onnx_graph {

/// IR version, operator sets, domains of nodes and functions.
Result<> CheckVersionsAndDomains(const onnx::ModelProto& model);

/// Names, order, tensors and depth of the graph and its subgraphs; reorders nodes where an input is
/// defined only later.
Result<> CheckAndSortGraph(onnx::GraphProto& graph);

/// Calls `visit` for every tensor of the graph, its attributes and subgraphs; stops at an error.
Result<> ForEachTensor(onnx::GraphProto& graph,
                       const std::function<Result<>(onnx::TensorProto&)>& visit);

/// "node \"conv1\" (Conv)", or by its output where it has no name.
std::string Describe(const onnx::NodeProto& node);

}  // namespace kenning::onnx_graph
