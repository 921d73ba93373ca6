// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kenning's server scenario: {platform, runtime, protocol}, as JSON.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include "agent_options.h"

namespace kenning::target {

struct ServerScenario {
  std::optional<ConfiguredBlock> platform;
  std::optional<ConfiguredBlock> runtime;
  std::optional<ConfiguredBlock> protocol;
};

/// Strict: unknown keys, classes and parameters are errors, with the nearest name.
/// \return kInvalidScenario, kUnavailable for a class that is not here, kNotFound.
Result<ServerScenario> ParseServerScenario(std::string_view text, const std::string& file_name,
                                           const Registry& registry);
Result<ServerScenario> LoadServerScenario(const std::filesystem::path& path,
                                          const Registry& registry);

/// A block with its defaults.
Result<ConfiguredBlock> DefaultBlock(BlockCategory category, std::string_view type,
                                     const Registry& registry);

/// Makes the paths among the parameters absolute: a session works in a folder of its own.
void MakePathsAbsolute(ConfiguredBlock& block);

}  // namespace kenning::target
