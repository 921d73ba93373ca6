// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every process that the agent forks does first.
#pragma once

#include <sys/types.h>

#include <functional>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::target {

/// Right after fork: leaves what belongs to the main process (its signals, its terminal's
/// interrupts, all descriptors but standard ones and `keep`), and ends when it ends.
void BecomeChild(std::vector<int> keep, pid_t parent);

/// Runs `check` in a process of its own, so that what it loads does not stay in this one.
/// \return its error.
Result<> CheckInChild(const std::function<Result<>()>& check);

}  // namespace kenning::target
