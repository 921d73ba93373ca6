// SPDX-License-Identifier: Apache-2.0
/// \file
/// A program loaded in ExecuTorch.
#pragma once

#include <memory>

#include "kenning/core/runtime.h"

namespace kenning::executorch_engine {

/// Runs the method "forward", or the program's only one. Tensors that the program has planned
/// memory for are copied into it and out of it; others are used where the caller has them.
class EtSession {
 public:
  /// `num_threads`: 0 is ExecuTorch's own choice, 1 the caller's thread alone. \return
  /// kFailedPrecondition where sessions with another number of threads are open.
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path, int num_threads);
  /// The IO specification of a program, without loading its delegates.
  static Result<ModelSpec> Inspect(const std::filesystem::path& path);
};

}  // namespace kenning::executorch_engine
