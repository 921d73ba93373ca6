// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a TorchScript module takes and gives where nothing tells it: read from the weights of the
/// operators that use the input, then tried.
#pragma once

#include "torch_model.h"

namespace kenning::libtorch {

/// \return kUnsupported with the remedy (`<model>.json`) where it cannot be found out.
Result<ModelSpec> GuessSpec(torch::jit::Module& module, const std::filesystem::path& path);

/// Completes and checks a specification by runs on zeros: input and output counts, types and
/// shapes. A dimension that follows an any-size input dimension is kAnyDim.
Result<> CheckSpec(torch::jit::Module& module, ModelSpec& spec, const std::filesystem::path& path);

/// Inputs of `forward`, without the module itself.
std::vector<std::string> InputNames(const torch::jit::Module& module);

}  // namespace kenning::libtorch
