// SPDX-License-Identifier: Apache-2.0
/// \file
/// The command line of the agent, which `kenning server` shares.
#pragma once

#include <string>
#include <vector>

#include "agent_options.h"
#include "kenning/base/result.h"

namespace kenning::target {

/// What a command line begins with: blocks that the caller has read already.
struct AgentPreset {
  std::optional<ConfiguredBlock> protocol;
  std::optional<ConfiguredBlock> runtime;
  std::optional<ConfiguredBlock> platform;
  /// Shown in the help: "kenning-agent", "kenning server".
  std::string program = "kenning-agent";
};

/// Parses the words, serves, and gives the exit code. \return kInvalidScenario, or as Agent::Open.
Result<int> AgentCommand(const std::vector<std::string>& words, AgentPreset preset,
                         const Registry& registry);

/// Parses only; nothing where the help or the version was printed.
Result<std::optional<AgentOptions>> ParseAgentCommand(const std::vector<std::string>& words,
                                                      AgentPreset preset, const Registry& registry);

/// "--listen" and so on, for completion.
std::vector<std::string> AgentFlags();

}  // namespace kenning::target
