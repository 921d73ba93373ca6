// SPDX-License-Identifier: Apache-2.0
/// \file
/// What host and target tell each other as JSON.
#pragma once

#include <span>
#include <string>

#include "kenning/core/target_run.h"
#include "scenario/scenario.h"

namespace kenning {

/// The target's description of itself (HELLO). What is missing or of another type stays empty.
PlatformInfo PlatformFromHello(const std::string& json);

/// Puts the readings of the target's statistics into `run`; its `native` says in which form they
/// are. \return kInvalidData.
Result<> ReadStatistics(const std::string& json, TargetRun& run);

/// A block's parameters as a JSON object: those that are not as by default. Files of this machine
/// mean nothing there and are left out.
std::string ParametersForTarget(const ScenarioBlock& block);

/// [{type, parameters}]. Kenning's server wants its own class paths and the place of the result.
std::string OptimizersForTarget(std::span<const ScenarioBlock> blocks, bool native);

}  // namespace kenning
