// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads a program of torch.export (`.pt2`): its operators become a TorchScript module, so that it
/// runs without Python. Knows the archive's layout and the program's JSON.
#pragma once

#include "torch_model.h"

namespace kenning::libtorch {

/// \return kInvalidModel for a broken program; kUnsupported for what has no TorchScript form, with
/// the operator's name; the specification has the program's own shapes and types.
Result<TorchModel> ReadExportedProgram(const std::filesystem::path& path);

}  // namespace kenning::libtorch
