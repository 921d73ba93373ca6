// SPDX-License-Identifier: Apache-2.0
/// \file
/// The first words of a command line: which subcommands are meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

struct SubcommandInfo {
  std::string_view name;
  std::string_view summary;
  bool chains = false;           ///< optimize, test, report: several in one command.
  std::string_view absent = {};  ///< Why not here: known to Kenning, not (yet) to this project.
};
std::span<const SubcommandInfo> Subcommands();

struct CommandWords {
  std::vector<std::string> subcommands;  ///< Empty: only options (or nothing) were given.
  std::vector<std::string> rest;
};

/// Splits the words after the program's name. \return kInvalidScenario for an unknown or wrongly
/// chained subcommand, with the nearest names; kUnavailable for one that Kenning has and this
/// project does not.
Result<CommandWords> SplitCommandWords(std::span<const std::string> words);

/// The help of the bare command.
std::string MainHelp();

}  // namespace kenning
