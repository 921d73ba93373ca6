// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scenario: the configuration file as checked, plain data. This folder is the only reader of
/// scenario files; docs/formats/scenario.md describes them.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/registry/registry.h"

namespace kenning {

/// A place in a scenario file; line and column count from 1, 0 where unknown (command line).
struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;
};
std::string ToString(const SourcePosition& position);  ///< "scenario.json:12:9"

/// One `{type, parameters}` block with checked parameters. `info` points into the registry.
struct ScenarioBlock {
  std::string key_path;  ///< "optimizers[0]"
  std::string type;      ///< As written.
  const BlockInfo* info = nullptr;
  Params params;
  SourcePosition where;
};

struct Scenario {
  std::string path;  ///< Empty where it came from the command line alone.
  std::optional<ScenarioBlock> model_wrapper;
  std::optional<ScenarioBlock> dataset;
  std::vector<ScenarioBlock> optimizers;
  std::optional<ScenarioBlock> runtime;
  std::optional<ScenarioBlock> protocol;
  std::optional<ScenarioBlock> platform;
  std::optional<ScenarioBlock> runtime_builder;
  std::optional<ScenarioBlock> report;
  std::string canonical_json;  ///< Canonical names, all parameters with defaults, sorted keys.
  std::vector<std::string> warnings;  ///< "scenario.json:9: trailing comma ignored", …
};

/// One value from the command line that replaces or adds a parameter. `target` is a flag of one of
/// the scenario's blocks ("--dataset-root") or a key path ("optimizers[1].parameters.opset").
struct ScenarioOverride {
  std::string target;
  std::string value;
};

/// Reads by extension (.json, .yaml, .yml; otherwise by content), checks against the registry.
/// \return kInvalidScenario listing every problem (file:line:column, key path, what was found, what
/// is allowed, nearest name), kNotFound, kUnavailable (a class that is known but not here).
Result<Scenario> LoadScenario(const std::filesystem::path& path, const Registry& registry,
                              std::span<const ScenarioOverride> overrides = {});
/// The same from memory; `file_name` is used in messages and decides the syntax.
Result<Scenario> ParseScenario(std::string_view text, const std::string& file_name,
                               const Registry& registry,
                               std::span<const ScenarioOverride> overrides = {});

/// A block that a scenario names; `info` points into the registry.
struct BlockChoice {
  std::string key_path;
  const BlockInfo* info = nullptr;
};
struct BlockChoices {
  std::vector<BlockChoice> blocks;
  bool complete = true;  ///< false: some block's class is unknown, or the file cannot be read.
};
/// The blocks that a file and the overrides name, without a check of their parameters: for help,
/// and for what flags a command line may have. `path` may be empty.
BlockChoices PeekBlocks(const std::filesystem::path& path, const Registry& registry,
                        std::span<const ScenarioOverride> overrides = {});

/// JSON Schema (draft 7) of scenario files, from the registry.
std::string ScenarioJsonSchema(const Registry& registry);

}  // namespace kenning
