// SPDX-License-Identifier: Apache-2.0
/// \file
/// Everything a report needs, and the only thing it reads. Round-trips as JSON
/// (docs/formats/measurements.md).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kenning/core/artifact.h"
#include "kenning/core/evaluation.h"
#include "kenning/core/load_run.h"
#include "kenning/core/measurement_log.h"
#include "kenning/core/platform.h"
#include "kenning/core/runtime.h"
#include "kenning/core/target_run.h"

namespace kenning {

/// The machine that kenning ran on, and its software. Where a protocol was used the model ran
/// elsewhere: RunRecord::target.
struct Environment {
  PlatformInfo platform;
  std::string governor;         ///< cpufreq governor; empty where unknown.
  float load_average_1min = 0;  ///< Before the run.
  std::string kenning_version;
  std::string git_revision;  ///< Of kenning's own source; empty outside a checkout.
  std::string started_at;    ///< UTC.
  std::map<std::string, std::string> versions;  ///< "onnxruntime": "1.31.1", …
  std::vector<std::string>
      warnings;  ///< Reasons to distrust the numbers: "load average 3.1 on 2 cores".
};

struct RunRecord {
  std::string name;           ///< Shown in comparisons; from the file name unless given.
  std::string scenario_json;  ///< The checked scenario, canonical JSON text.
  std::string scenario_path;
  std::vector<std::string> command;
  Environment environment;
  ModelArtifact artifact;                 ///< What ran.
  std::uint64_t original_size_bytes = 0;  ///< Size of the model before any optimizer.
  std::string model_framework;
  std::string dataset_name;
  std::string split_name;  ///< "test"
  std::size_t batch_size = 1;
  EngineVersion engine;  ///< Where the model ran.
  MeasurementLog log;
  std::optional<ClassificationEvaluation> evaluation;
  std::vector<OperatorProfile> profile;
  std::optional<LoadRun> load;      ///< Of a run under a load pattern.
  std::optional<TargetRun> target;  ///< Of a run through a protocol.
};

}  // namespace kenning
