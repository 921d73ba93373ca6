// SPDX-License-Identifier: Apache-2.0
/// \file
/// The subcommands. Each takes its own words and gives the process's exit code or an error.
#pragma once

#include <string>
#include <vector>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/registry/registry.h"

namespace kenning {

struct CommandContext {
  const Registry& registry;
  CancelToken& cancel;
  std::vector<std::string> command_line;  ///< All words, the program's name first.
};

/// What follows the subcommand's name.
using Words = std::vector<std::string>;

/// `steps`: of optimize, test, report, in any order, at least one.
Result<int> PipelineCommand(const std::vector<std::string>& steps, const Words& words,
                            CommandContext& context);
/// Kenning's older script: a scenario and the measurements' file, then options of optimize and
/// test.
Result<int> JsonInferenceTesterCommand(const Words& words, CommandContext& context);
/// The agent (target/): serves models that a host sends.
Result<int> ServerCommand(const Words& words, CommandContext& context);
/// Kenning's older scripts: classes and options, or a scenario.
Result<int> InferenceServerCommand(const Words& words, CommandContext& context);
Result<int> JsonInferenceServerCommand(const Words& words, CommandContext& context);
/// Kenning's oldest script: four classes and the measurements' file, then options.
Result<int> InferenceTesterCommand(const Words& words, CommandContext& context);
/// Its words as those of "optimize test".
Words InferenceTesterWords(const Words& words);
/// The words that `list` takes: "datasets", "runtimes", …
std::vector<std::string> ListCategories();
Result<int> ListCommand(const Words& words, CommandContext& context);
Result<int> InfoCommand(const Words& words, CommandContext& context);
Result<int> SchemaCommand(const Words& words, CommandContext& context);
Result<int> CompletionCommand(const Words& words, CommandContext& context);
/// The hidden subcommand that the shells' scripts call: prints candidates for the last word.
Result<int> CompleteCommand(const Words& words, CommandContext& context);
Result<int> ToolchainCommand(const Words& words, CommandContext& context);
Result<int> DiffCommand(const Words& words, CommandContext& context);
Result<int> ExplainCommand(const Words& words, CommandContext& context);
/// The flags of diff and explain, for completion.
std::vector<std::string> DiffFlags();
std::vector<std::string> ExplainFlags();
Result<int> DevicesCommand(const Words& words, CommandContext& context);
Result<int> DoctorCommand(const Words& words, CommandContext& context);
/// For completion.
std::vector<std::string> DevicesActions();
std::vector<std::string> DevicesFlags();
std::vector<std::string> DoctorFlags();
Result<int> CacheCommand(const Words& words, CommandContext& context);

}  // namespace kenning
