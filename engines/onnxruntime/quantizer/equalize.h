// SPDX-License-Identifier: Apache-2.0
/// \file
/// Cross-layer equalisation (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization
/// and Bias Correction"): scales move from one convolution to the next, so that the ranges of their
/// channels become alike. The network's function stays the same.
#pragma once

#include "kenning/base/result.h"
#include "onnx_graph/graph.h"

namespace kenning::quantizer {

/// Pairs: a Conv or Gemm, at most a Relu, then a Conv or Gemm that alone reads it; all with
/// constant float weights that nothing else uses. \return the number of pairs.
Result<int> EqualizeLayers(onnx_graph::Graph& graph);

}  // namespace kenning::quantizer
