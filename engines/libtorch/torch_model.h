// SPDX-License-Identifier: Apache-2.0
/// \file
/// Models as LibTorch modules: reading, storing, and what they take and give.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::libtorch {

/// The file inside our TorchScript archives that holds the specification, in the form of
/// `<model>.json`: TorchScript itself stores neither shapes nor types.
inline constexpr const char* kSpecFile = "kenning_spec.json";

struct TorchModel {
  torch::jit::Module module;
  /// As told by `<model>.json`, else by the archive, else found out; checked by a run.
  ModelSpec spec;
};

/// Reads a model of format "torchscript" or "torch_export", puts it into evaluation mode, and runs
/// it once on zeros to see that the specification is true. The file is checked before LibTorch
/// reads it; code that reaches for files is refused. \return kNotFound, kResourceExhausted,
/// kInvalidModel, kUnsupported.
Result<TorchModel> ReadTorchModel(const std::filesystem::path& path, const std::string& format);

/// Stores a module as TorchScript, whole or not at all.
Result<> WriteTorchScript(const torch::jit::Module& module, const ModelSpec& spec,
                          const std::filesystem::path& path);

/// Runs the module on tensors and gives its results in order: a tensor, or a tuple, list or
/// dictionary of tensors. Throws LibTorch's exceptions.
Result<std::vector<at::Tensor>> RunModule(torch::jit::Module& module,
                                          const std::vector<at::Tensor>& inputs);

/// Results as dense tensors; kUnsupported for anything but tensors.
Result<> FlattenResult(const c10::IValue& value, std::vector<at::Tensor>& out);

/// Runs on zeros of the given shapes. Throws LibTorch's exceptions.
Result<std::vector<at::Tensor>> RunOnZeros(torch::jit::Module& module,
                                           const std::vector<TensorSpec>& inputs,
                                           const std::vector<Shape>& shapes);

}  // namespace kenning::libtorch
