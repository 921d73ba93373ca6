// SPDX-License-Identifier: Apache-2.0
/// \file
/// The cases of engines/*/conformance.json (README.md says what is in one), and tensors by value.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "kenning/core/tensor.h"
#include "kenning/registry/registry.h"

namespace kenning {

/// One model of one engine.
struct EngineCase {
  std::string name;  ///< "onnxruntime_int8": the engine's folder and the case's name.
  std::filesystem::path folder;
  nlohmann::json facts;
  std::string problem;  ///< Not empty: the file cannot be used, and why.
};
/// For gtest's messages.
inline void PrintTo(const EngineCase& one, std::ostream* out) { *out << one.name; }

/// Every case of the tree, in order of names. A broken file is a case with a problem.
std::vector<EngineCase> AllEngineCases();

/// Defaults of `schema`, then the case's "parameters". Fails the current test on a wrong one.
Params CaseParams(const ParamSchema& schema, const nlohmann::json& parameters);

/// Elements as numbers, whatever the type. Strings are not tensors here.
double GetElement(const TensorView& tensor, std::size_t index);
void SetElement(const MutableTensorView& tensor, std::size_t index, double value);
std::size_t CountElements(const TensorView& tensor);

/// Fills `tensor` with a case's values: a flat list, one number for all, or {"file": …} with raw
/// little-endian elements of the tensor's type, relative to `folder`. Fails the current test where
/// the number of elements is another one.
void FillTensor(const nlohmann::json& values, const std::filesystem::path& folder, Tensor& tensor);

}  // namespace kenning
