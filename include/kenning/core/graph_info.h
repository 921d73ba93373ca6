// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a model file says of its operators, without running it. Knows no engine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kenning/core/dtype.h"

namespace kenning {

/// One operator of a model, in order of computation. Counts are for one inference at batch 1; 0
/// where a shape is not known.
struct OperatorInfo {
  std::string name;     ///< Of the node, or of its first output where nodes have no names.
  std::string op_type;  ///< In the format's own spelling: "Conv", "CONV_2D".
  /// Of the main input as computed: kInt8 also for an operator between a DequantizeLinear and a
  /// QuantizeLinear that engines fuse.
  DType dtype = DType::kFloat32;
  std::uint64_t macs = 0;  ///< Multiply-adds.
  std::uint64_t weight_bytes = 0;
  std::uint64_t activation_bytes = 0;  ///< Inputs and outputs, without weights.
  std::vector<std::string> inputs;     ///< Names of tensors, weights included.
  std::vector<std::string> outputs;
};

struct GraphInfo {
  std::vector<OperatorInfo> operators;
};

}  // namespace kenning
