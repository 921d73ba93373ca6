// SPDX-License-Identifier: Apache-2.0
/// \file
/// A scenario's blocks against the registry.
#pragma once

#include "scenario/overrides.h"

namespace kenning::scenario {

/// The blocks of the tree with their classes looked up; everything that is wrong with keys and
/// classes is reported. The result borrows from `root` and `registry`.
std::vector<PendingBlock> ResolveBlocks(const Node& root, const Registry& registry,
                                        const std::vector<std::string>& retyped,
                                        Problems& problems);

/// The block with checked parameters, defaults filled in. Only for blocks whose class is known.
ScenarioBlock CheckBlock(const PendingBlock& block, Problems& problems);

}  // namespace kenning::scenario
