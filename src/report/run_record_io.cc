// SPDX-License-Identifier: Apache-2.0
// Writing. Kenning's keys come first; then "kenning_cpp", which alone is needed to read the record
// back.
#include "report/run_record_io.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "report/json_values.h"
#include "report/run_record_json.h"

namespace kenning {
namespace {

using nlohmann::json;

constexpr double kNsToSeconds = 1e-9;

/// Kenning's names for our steps; its local runs record five tags a sample.
struct TagNames {
  Step step;
  const char* name;
};
constexpr TagNames kTags[] = {{Step::kLoad, "preprocess"},
                              {Step::kPreprocess, "preprocessing"},
                              {Step::kInference, "inference"},
                              {Step::kPostprocess, "postprocess"},
                              {Step::kPostprocess, "postprocessing"}};

const char* SeriesName(Step step) {
  switch (step) {
    case Step::kPreprocess:
      return "input_preprocess_step";
    case Step::kInference:
      return "target_inference_step";
    case Step::kPostprocess:
      return "output_postprocess_step";
    case Step::kLoad:
      return nullptr;
  }
  return nullptr;
}

void AddKenningTimes(const MeasurementLog& log, json& out) {
  json tags = json::array();
  for (const Observation& observation : log.observations) {
    if (observation.phase != Phase::kMeasured) continue;
    const double start = static_cast<double>(observation.start_ns) * kNsToSeconds;
    const double end = static_cast<double>(observation.end_ns) * kNsToSeconds;
    for (const TagNames& tag : kTags) {
      if (tag.step == observation.step) {
        tags.push_back({{"name", tag.name}, {"start", start}, {"end", end}});
      }
    }
    if (const char* name = SeriesName(observation.step); name != nullptr) {
      out[name].push_back(end - start);
      out[std::string(name) + "_timestamp"].push_back(end);
    }
  }
  out["tags"] = std::move(tags);
}

void AddKenningSystem(const MeasurementLog& log, json& out) {
  json cpus = json::array();
  json memory = json::array();
  json times = json::array();
  for (const SystemReading& reading : log.system) {
    cpus.push_back(reading.cpu_percent);
    memory.push_back(reading.memory_percent);
    times.push_back(static_cast<double>(reading.time_ns) * kNsToSeconds);
  }
  out["session_utilization_cpus_percent"] = std::move(cpus);
  out["session_utilization_mem_percent"] = std::move(memory);
  out["session_utilization_timestamp"] = std::move(times);
}

void AddKenningFacts(const RunRecord& record, json& out) {
  out["command"] = record.command;
  const auto scenario = TryParseJson(record.scenario_json);
  out["build_cfg"] = scenario && scenario->is_object() ? *scenario : json::object();
  out["cfg_path"] = record.scenario_path;
  const std::size_t space = record.model_framework.find(' ');
  out["model_framework"] = record.model_framework.substr(0, space);
  out["model_version"] = space == std::string::npos ? "" : record.model_framework.substr(space + 1);
  out["compiled_model_size"] = static_cast<double>(record.artifact.size_bytes);
  out["optimizers"] = json::array();
  for (const ProvenanceStep& step : record.artifact.provenance) {
    out["optimizers"].push_back(
        {{"compiler_framework", step.framework}, {"compiler_version", step.version}});
  }
  if (!record.evaluation) return;
  const ClassificationEvaluation& evaluation = *record.evaluation;
  out["class_names"] = evaluation.class_names;
  out["total"] = evaluation.total;
  out["top_5_count"] = evaluation.top5_correct;
  json matrix = json::array();
  for (const auto& row : evaluation.confusion) {
    matrix.push_back(std::vector<double>(row.begin(), row.end()));
  }
  out["eval_confusion_matrix"] = std::move(matrix);
}

}  // namespace

std::string RunRecordToJson(const RunRecord& record) {
  json out = json::object();
  AddKenningTimes(record.log, out);
  AddKenningSystem(record.log, out);
  AddKenningFacts(record, out);
  out["kenning_cpp"] = RunRecordFacts(record);
  // NaN and infinity become null; bytes that are not UTF-8 become U+FFFD.
  return out.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

Result<> SaveRunRecord(const RunRecord& record, const std::filesystem::path& path) {
  return WriteFileAtomically(path, RunRecordToJson(record));
}

Result<RunRecord> LoadRunRecord(const std::filesystem::path& path) {
  constexpr std::uint64_t kLargest = std::uint64_t{2} << 30;
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargest), "measurements");
  KENNING_ASSIGN_OR_RETURN(RunRecord record, RunRecordFromJson(text, path.string()));
  if (record.name.empty()) record.name = path.stem().string();
  return record;
}

}  // namespace kenning
