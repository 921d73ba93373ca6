// SPDX-License-Identifier: Apache-2.0
// Writing. Kenning's keys come first; then "kenning_cpp", which alone is needed to read the record
// back.
#include "report/run_record_io.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "measure/statistics_json.h"
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

void AddSpan(const std::string& series, std::int64_t duration_ns, std::int64_t end_ns, json& out) {
  out[series].push_back(static_cast<double>(duration_ns) * kNsToSeconds);
  out[series + "_timestamp"].push_back(static_cast<double>(end_ns) * kNsToSeconds);
}

/// Kenning's host writes what it sees of an inference, its target what it measures itself.
void AddRemoteInference(const TargetRun& target, const TargetTimes& times,
                        const Observation& observation, json& out) {
  const std::int64_t seen =
      times.process_ns != 0 ? times.process_ns : observation.end_ns - observation.start_ns;
  AddSpan("protocol_inference_step", seen, observation.end_ns, out);
  if (!times.on_target()) return;
  AddSpan("target_inference_step", times.invoke_end_ns - times.invoke_start_ns,
          ToHostClock(target.clock, times.invoke_end_ns), out);
}

void AddKenningTimes(const RunRecord& record, json& out) {
  json tags = json::array();
  std::size_t inference = 0;
  for (const Observation& observation : record.log.observations) {
    const bool remote = record.target && observation.step == Step::kInference;
    const std::size_t index = inference;
    if (observation.step == Step::kInference) ++inference;
    if (observation.phase != Phase::kMeasured) continue;
    if (remote) {
      // Kenning has no tag of a remote inference.
      if (index < record.target->times.size()) {
        AddRemoteInference(*record.target, record.target->times[index], observation, out);
      }
      continue;
    }
    const double start = static_cast<double>(observation.start_ns) * kNsToSeconds;
    const double end = static_cast<double>(observation.end_ns) * kNsToSeconds;
    for (const TagNames& tag : kTags) {
      if (tag.step == observation.step) {
        tags.push_back({{"name", tag.name}, {"start", start}, {"end", end}});
      }
    }
    if (const char* name = SeriesName(observation.step); name != nullptr) {
      AddSpan(name, observation.end_ns - observation.start_ns, observation.end_ns, out);
    }
  }
  out["tags"] = std::move(tags);
  if (!record.target) return;
  for (const HostSpan& span : record.target->optimisations) {
    AddSpan("protocol_model_optimization", span.end_ns - span.start_ns, span.end_ns, out);
  }
}

/// Kenning has these keys only where there is a GPU.
class KenningGpu {
 public:
  explicit KenningGpu(const std::vector<Sensor>& sensors)
      : sensors_(sensors.size()),
        utilization_(GpuSensor(sensors, SensorKind::kUtilization)),
        memory_(GpuSensor(sensors, SensorKind::kMemory)) {}

  void Add(const SystemReading& reading, double time_s, json& out) const {
    if (utilization_ < 0 || memory_ < 0 || reading.values.size() != sensors_) return;
    const auto value = [&reading](int sensor) {
      return reading.values[static_cast<std::size_t>(sensor)];
    };
    out["session_utilization_gpu_utilization"].push_back(value(utilization_));
    out["session_utilization_gpu_mem_utilization"].push_back(value(memory_));
    out["session_utilization_gpu_timestamp"].push_back(time_s);
  }

 private:
  std::size_t sensors_;
  int utilization_;
  int memory_;
};

/// Of the machine that the model ran on.
void AddKenningSystem(const RunRecord& record, json& out) {
  json cpus = json::array();
  json memory = json::array();
  json times = json::array();
  const KenningGpu gpu(record.target ? record.target->sensors : record.log.sensors);
  const auto add = [&](const SystemReading& reading, std::int64_t host_ns) {
    gpu.Add(reading, static_cast<double>(host_ns) * kNsToSeconds, out);
    cpus.push_back(reading.cpu_percent);
    memory.push_back(reading.memory_percent);
    times.push_back(static_cast<double>(host_ns) * kNsToSeconds);
  };
  if (record.target) {
    for (const SystemReading& reading : record.target->system) {
      add(reading, ToHostClock(record.target->clock, reading.time_ns));
    }
  } else {
    for (const SystemReading& reading : record.log.system) add(reading, reading.time_ns);
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

/// Kenning's host adds what its target's statistics bring to its own measurements.
void AddStatisticsOfTarget(const RunRecord& record, json& out) {
  if (!record.target || record.target->native) return;
  const auto statistics = TryParseJson(record.target->statistics_json);
  if (!statistics || !statistics->is_object()) return;
  for (const auto& [key, value] : statistics->items()) {
    if (!out.contains(key) && key != "kenning_cpp") out[key] = value;
  }
}

}  // namespace

std::string RunRecordToJson(const RunRecord& record) {
  json out = json::object();
  AddKenningTimes(record, out);
  AddKenningSystem(record, out);
  AddKenningFacts(record, out);
  AddStatisticsOfTarget(record, out);
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
