// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which model format passes from each block of a scenario to the next.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/registry/registry.h"
#include "scenario/scenario.h"

namespace kenning {

/// Takes a mistake, and the block that it is found at.
using FormatProblem = std::function<void(const ScenarioBlock&, const std::string&)>;

/// The format after the wrapper and after each optimizer. Where a block can give several, the
/// extension of its compiled_model_path decides, else the order in which the next block accepts
/// them. A block's model_framework narrows what it takes. A chain that does not fit is reported
/// with the optimizer that would close the gap, where this build has one.
std::vector<std::string> ChainFormats(const Scenario& scenario, const std::string& model_format,
                                      const Registry& registry, const FormatProblem& report);

/// The runtimes that take a format, best first: those made for it (they take the fewest formats),
/// then by name. Whether they are available here is not looked at.
std::vector<const BlockInfo*> RuntimesFor(std::string_view format, const Registry& registry);

}  // namespace kenning
