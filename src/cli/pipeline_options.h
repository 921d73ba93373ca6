// SPDX-License-Identifier: Apache-2.0
/// \file
/// The options of optimize, test and report, and those of the blocks that a scenario names.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/log.h"
#include "kenning/base/result.h"
#include "kenning/core/load_run.h"
#include "kenning/registry/registry.h"
#include "scenario/scenario.h"

namespace kenning {

struct PipelineOptions {
  std::filesystem::path cfg;
  std::vector<ScenarioOverride> overrides;
  std::vector<std::filesystem::path> measurements;
  std::vector<std::string> model_names;
  std::filesystem::path report_path;
  std::filesystem::path image_dir;
  std::filesystem::path root_dir;
  std::string report_title;
  std::vector<std::string> report_types;
  int warm_up = 3;
  std::optional<std::size_t> max_samples;
  std::optional<LoadSettings> load;  ///< Run a load pattern in place of one pass.
  bool dry_run = false;
  bool install_missing = false;
  LogLevel verbosity = LogLevel::kWarning;
  std::string help;  ///< Not empty: print this and stop.
};

/// \return kInvalidScenario for wrong options, with the nearest names.
Result<PipelineOptions> ParsePipelineOptions(const std::vector<std::string>& steps,
                                             const std::vector<std::string>& words,
                                             const Registry& registry);

/// Every flag that these words could go on with: for completion.
std::vector<std::string> PipelineFlags(const std::vector<std::string>& steps,
                                       const std::vector<std::string>& words,
                                       const Registry& registry);

/// The flags that choose a block's class ("--runtime-cls"), with the category that they take.
struct ClassFlag {
  const char* flag;
  const char* target;  ///< "runtime.type"; "optimizers" takes a list.
  BlockCategory category;
  const char* description;
};
std::span<const ClassFlag> ClassFlags();

}  // namespace kenning
