// SPDX-License-Identifier: Apache-2.0
/// \file
/// Rewrites of a checked model that keep its function and make it simpler to quantise. They know
/// operators, not quantisation.
#pragma once

#include <functional>
#include <optional>

#include "onnx_graph/graph.h"

namespace kenning::onnx_graph {

/// Gives every node without a name, or with a name that another has, a unique one.
void NameNodes(Graph& graph);
/// Constant nodes become initializers; initializers are no longer listed as inputs (they cannot be
/// overridden any more, as runtimes need it to fold them).
void ConstantsToInitializers(Graph& graph);
/// Removes Identity, and Dropout (which does nothing outside of training).
void RemoveIdentities(Graph& graph);
/// Folds BatchNormalization into a Conv, ConvTranspose or Gemm with constant weights that only it
/// reads. \return the number of folded nodes.
Result<int> FoldBatchNormalization(Graph& graph);
/// Scales a Gemm's constant weights and bias so that alpha and beta are 1.
Result<> FoldGemmFactors(Graph& graph);

/// The rank of a tensor, where known.
using RankOf = std::function<std::optional<int>(const std::string& tensor)>;
/// MatMul by a constant matrix, then Add of a constant vector, for a 2-D input, becomes Gemm.
/// \return the number of merged pairs.
int MergeMatMulAdd(Graph& graph, const RankOf& rank_of);

/// Brings a model to opset 13, the first with per-channel DequantizeLinear; newer ones stay.
/// \return kUnsupported naming a node whose operator changed in a way that cannot be converted.
Result<> RaiseOpset(onnx::ModelProto& model, const RankOf& rank_of);

}  // namespace kenning::onnx_graph
