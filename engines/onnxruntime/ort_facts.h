// SPDX-License-Identifier: Apache-2.0
/// \file
/// Types and shapes of the tensors inside a model, as ONNX Runtime infers them.
#pragma once

#include <map>

#include "kenning/base/result.h"
#include "kenning/core/tensor.h"
#include "onnx_graph/graph.h"
#include "ort_api.h"

namespace kenning::ort {

struct TensorFacts {
  std::optional<DType> dtype;
  Shape shape;               ///< kAnyDim where unknown.
  bool shape_known = false;  ///< false: not even the number of dimensions is known.
};

/// Of inputs, initializers and everything that depends on inputs, for a batch of one. Where
/// inference leaves a dimension open, the model is run once on zeros. `name` stands for the file in
/// messages.
Result<std::map<std::string, TensorFacts>> FactsOfTensors(const onnx::ModelProto& model,
                                                          const std::string& name);

/// A copy of an output of ONNX Runtime; empty for what is no tensor of a type that kenning carries.
Result<std::optional<Tensor>> CopyOf(const Ort::Value& value);

/// Scale and zero point of what a QuantizeLinear with constant parameters writes.
std::optional<QuantParams> QuantOf(const onnx_graph::Graph& graph, const std::string& tensor);

}  // namespace kenning::ort
