// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parsing for the small subcommands.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

/// Parses `words` with `app`. Prints the help and gives 0 where it was asked for; gives nothing
/// where the subcommand shall go on. \return kInvalidScenario.
inline Result<std::optional<int>> ParseWith(CLI::App& app, std::vector<std::string> words) {
  std::ranges::reverse(words);  // As CLI11 takes them.
  try {
    app.parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    return Fail(ErrorCode::kInvalidScenario, fmt::format("{}; see --help", error.what()));
  }
  return std::optional<int>{};
}

/// "--name" of every option, for completion.
inline std::vector<std::string> LongFlags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

}  // namespace kenning
