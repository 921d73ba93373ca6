// SPDX-License-Identifier: Apache-2.0
// Files that Python Kenning wrote.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/json_values.h"
#include "report/run_record_json.h"

namespace kenning {
namespace {

using nlohmann::json;

/// The key's array; empty where the key is missing.
const json& ListAt(const json& file, const char* key) {
  static const json kNone = json::array();
  const auto found = file.find(key);
  return found == file.end() ? kNone : List(*found);
}

/// Kenning writes a series of durations and one of the times at which they ended.
void AddSeries(const json& file, const char* key, Step step, MeasurementLog& log) {
  const json& durations = ListAt(file, key);
  const json& stamps = ListAt(file, (std::string(key) + "_timestamp").c_str());
  for (std::size_t i = 0; i < durations.size(); ++i) {
    Observation o;
    o.step = step;
    o.first_sample = static_cast<std::uint32_t>(i);
    const std::int64_t duration = NanosecondsOfSeconds(durations[i]);
    if (duration < 0) ThrowWrongValue(durations[i], "a duration");
    o.end_ns = i < stamps.size() ? NanosecondsOfSeconds(stamps[i]) : duration;
    o.start_ns = o.end_ns - duration;
    log.observations.push_back(o);
  }
}

/// Kenning counts in floats.
std::uint64_t Count(const json& value) {
  const double count = Real(value);
  if (!(count >= 0) || count > 9e15) ThrowWrongValue(value, "a count");
  return static_cast<std::uint64_t>(std::llround(count));
}

void AddEvaluation(const json& file, RunRecord& record) {
  const json& matrix = ListAt(file, "eval_confusion_matrix");
  if (matrix.empty()) return;
  ClassificationEvaluation e;
  for (const json& row : matrix) {
    std::vector<std::uint64_t> counts;
    for (const json& count : List(row)) {
      counts.push_back(Count(count));
      if (__builtin_add_overflow(e.total, counts.back(), &e.total)) {
        ThrowWrongValue(count, "a sum of counts that fits 64 bits");
      }
    }
    e.confusion.push_back(std::move(counts));
  }
  e.class_names = file.value("class_names", std::vector<std::string>{});
  while (e.class_names.size() < e.confusion.size()) {
    e.class_names.push_back(fmt::format("class {}", e.class_names.size()));
  }
  if (file.contains("top_5_count")) e.top5_correct = Count(file["top_5_count"]);
  CheckEvaluation(e, matrix);
  record.evaluation = std::move(e);
}

void AddSystem(const json& file, MeasurementLog& log) {
  const json& times = ListAt(file, "session_utilization_timestamp");
  const json& cpus = ListAt(file, "session_utilization_cpus_percent");
  const json& memory = ListAt(file, "session_utilization_mem_percent");
  for (std::size_t i = 0; i < times.size(); ++i) {
    SystemReading reading;
    reading.time_ns = NanosecondsOfSeconds(times[i]);
    if (i < cpus.size()) reading.cpu_percent = Floats(cpus[i]);
    if (i < memory.size()) reading.memory_percent = Floats(json::array({memory[i]}))[0];
    log.system.push_back(std::move(reading));
  }
}

/// A run through a protocol: the host's times are its own, those of the target are there where it
/// measured them.
TargetRun TargetOf(const json& file, const MeasurementLog& log) {
  TargetRun target;
  const json protocol = file.value(json::json_pointer("/build_cfg/protocol"), json::object());
  const std::string type = protocol.value("type", "");
  target.protocol = type.substr(type.rfind('.') + 1);
  if (const json parameters = protocol.value("parameters", json::object());
      parameters.is_object()) {
    for (const char* key : {"host", "port"}) {
      if (!parameters.contains(key)) continue;
      const json& value = parameters[key];
      target.address += target.address.empty() ? "" : ":";
      target.address += value.is_string() ? value.get<std::string>() : value.dump();
    }
  }
  const json& on_target = ListAt(file, "target_inference_step");
  for (const Observation& observation : log.observations) {
    if (observation.step != Step::kInference) continue;
    TargetTimes times;
    times.process_ns = observation.end_ns - observation.start_ns;
    if (const std::size_t i = target.times.size(); i < on_target.size()) {
      times.invoke_end_ns = NanosecondsOfSeconds(on_target[i]);
      times.sent_ns = times.invoke_end_ns;
    }
    target.times.push_back(times);
  }
  for (const json& seconds : ListAt(file, "protocol_model_optimization")) {
    target.optimisations.push_back({0, NanosecondsOfSeconds(seconds)});
  }
  return target;
}

}  // namespace

RunRecord RecordFromKenning(const json& file) {
  RunRecord record;
  record.command = file.value("command", std::vector<std::string>{});
  record.scenario_path = file.value("cfg_path", "");
  if (file.contains("build_cfg")) record.scenario_json = file["build_cfg"].dump();
  record.model_framework =
      file.value("model_framework", "") + " " + file.value("model_version", "");
  if (file.contains("compiled_model_size")) {
    record.artifact.size_bytes = Count(file["compiled_model_size"]);
  }
  for (const json& item : ListAt(file, "optimizers")) {
    ProvenanceStep step;
    step.framework = item.value("compiler_framework", "");
    step.version = item.value("compiler_version", "");
    step.block = step.framework;
    record.artifact.provenance.push_back(std::move(step));
  }
  MeasurementLog& log = record.log;
  AddSeries(file, "input_preprocess_step", Step::kPreprocess, log);
  if (file.contains("protocol_inference_step")) {
    AddSeries(file, "protocol_inference_step", Step::kInference, log);
    record.target = TargetOf(file, log);
  } else {
    AddSeries(file, "target_inference_step", Step::kInference, log);
  }
  AddSeries(file, "output_postprocess_step", Step::kPostprocess, log);
  AddSystem(file, log);
  if (!log.observations.empty()) log.started_ns = log.observations.front().start_ns;
  log.complete = true;
  record.environment.warnings.push_back(
      "written by Python Kenning: its inference times contain its own Python wrapper");
  AddEvaluation(file, record);
  return record;
}

}  // namespace kenning
