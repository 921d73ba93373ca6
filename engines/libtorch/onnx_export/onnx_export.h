// SPDX-License-Identifier: Apache-2.0
/// \file
/// TorchScript to ONNX (operator set 17), without Python: the frozen graph is translated node by
/// node, written, read back and compared on a random input.
#pragma once

#include "torch_model.h"

namespace kenning::libtorch {

/// Writes `path`, whole or not at all, and gives the largest difference of the outputs, as a share
/// of the largest output. \return kUnsupported with the operator's name for what has no
/// translation; kInternal where the two models do not agree.
Result<double> ExportOnnx(const torch::jit::Module& module, const ModelSpec& spec,
                          const std::filesystem::path& path);

}  // namespace kenning::libtorch
