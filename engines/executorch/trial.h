// SPDX-License-Identifier: Apache-2.0
/// \file
/// A trial in a child process. ExecuTorch ends the process over some damaged programs that its own
/// verification passes; so the first one to run a program is a child. Knows nothing of ExecuTorch.
#pragma once

#include <filesystem>
#include <functional>

#include "kenning/base/result.h"

namespace kenning::executorch_engine {

/// Runs `work` in a child of this process, with no output, for at most 20 s. \return kInvalidModel
/// naming `path` where the child crashed. A child that could not be made, or took too long, proves
/// nothing and is no error.
Result<> TryInChild(const std::filesystem::path& path, const std::function<void()>& work);

}  // namespace kenning::executorch_engine
