// SPDX-License-Identifier: Apache-2.0
/// \file
/// Values from the command line: which block and parameter each of them means.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "scenario/node.h"
#include "scenario/scenario.h"

namespace kenning::scenario {

/// A key path taken apart: "optimizers[1].parameters.opset" or "dataset.type".
struct KeyPath {
  std::string block;      ///< "optimizers[1]"
  std::string key;        ///< "optimizers"
  std::size_t index = 0;  ///< Of a list.
  std::string parameter;  ///< Empty: the block's type.
};
std::optional<KeyPath> ParseKeyPath(std::string_view text);

/// One override that names a parameter of a known block.
struct ParamOverride {
  const ScenarioOverride* source;
  const ParamSpec* spec;
};

/// A block before its parameters are checked.
struct PendingBlock {
  const Node* node = nullptr;
  std::string key_path;
  BlockCategory category = BlockCategory::kOther;
  const BlockInfo* info = nullptr;  ///< null: its class is unknown or not here (already reported).
  std::vector<ParamOverride> overrides;
  bool retyped = false;  ///< The command line chose another class than the file.
};

/// Sets classes in the tree (`runtime.type`), adding blocks where they are missing.
/// \return key paths of the blocks whose class changed.
std::vector<std::string> ApplyTypeOverrides(std::span<const ScenarioOverride> overrides,
                                            Problems& problems, Node& root);

/// Gives every other override to its block, or says why it has none.
void AssignOverrides(std::span<const ScenarioOverride> overrides, Problems& problems,
                     std::vector<PendingBlock>& blocks);

}  // namespace kenning::scenario
