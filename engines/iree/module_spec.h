// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a module says of its inputs and outputs.
#pragma once

#include <filesystem>
#include <string_view>

#include "iree_api.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::iree {

/// Attribute of a module's function under which IREECompiler stores the IO specification.
inline constexpr std::string_view kSpecAttribute = "kenning.io";

/// The function that is run, and its tensors.
struct ModuleEntry {
  iree_vm_function_t function;  ///< Valid while the module is.
  ModelSpec spec;
};

/// The first exported function that takes and gives tensors alone. Its specification is what
/// IREECompiler stored in the module; else IREE's own declaration of the function; else the file
/// `<path>.json`. \return kUnsupported where no function fits or none of these is there,
/// kInvalidModel where they contradict the function.
Result<ModuleEntry> FindEntry(const iree_vm_module_t* module, const std::filesystem::path& path);

/// Reads IREE's declaration, "sync func @f(%input0: tensor<1x4xf32>) -> (%output0: tensor<?xi8>)".
/// Integers without a sign are signed. \return kUnsupported for what is not a tensor.
Result<ModelSpec> ParseDeclaration(std::string_view text);

}  // namespace kenning::iree
