// SPDX-License-Identifier: Apache-2.0
/// \file
/// ONNX to TorchScript: each ONNX operator becomes lines of TorchScript's own source, the
/// initializers tensors of the module. Knows ONNX's operators; no Python takes part.
#pragma once

#include "torch_model.h"

namespace kenning::libtorch {

/// \return kInvalidModel for a broken file; kUnsupported with node and operator for what has no
/// form here (control flow, sequences, external data).
Result<TorchModel> ImportOnnx(const std::filesystem::path& path);

}  // namespace kenning::libtorch
