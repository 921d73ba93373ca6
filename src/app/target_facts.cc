// SPDX-License-Identifier: Apache-2.0
#include "app/target_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "measure/statistics_json.h"
#include "scenario/json_params.h"

namespace kenning {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestText = 512;
constexpr std::size_t kMostReadings = 1'000'000;
constexpr std::size_t kMostCores = 65'536;
constexpr int kDeepest = 16;

/// Empty where the text is no JSON object or nests too deep.
json ParseObject(const std::string& text) {
  bool deep = false;
  const auto watch = [&deep](int depth, json::parse_event_t, json&) {
    deep |= depth > kDeepest;
    return !deep;
  };
  json value = json::parse(text, watch, false);
  return value.is_object() && !deep ? value : json();
}

const json& At(const json& object, const char* key) {
  static const json kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(key);
  return found == object.end() ? kNone : *found;
}

std::string Text(const json& value) {
  if (!value.is_string()) return "";
  return value.get<std::string>().substr(0, kLongestText);
}

std::uint64_t Count(const json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

Result<> Wrong(const std::string& what) {
  return Fail(ErrorCode::kInvalidData, "the target's statistics: " + what);
}

std::optional<float> Percent(const json& value) {
  if (!value.is_number()) return std::nullopt;
  const auto number = value.get<double>();
  if (!(std::abs(number) < 1e6)) return std::nullopt;
  return static_cast<float>(number);
}

/// Kenning's keys: three lists of one length, times in seconds.
Result<> ReadKenningStatistics(const json& file, std::vector<SystemReading>& readings) {
  const json& times = At(file, "session_utilization_timestamp");
  const json& cpus = At(file, "session_utilization_cpus_percent");
  const json& memory = At(file, "session_utilization_mem_percent");
  if (times.is_null()) return {};
  if (!times.is_array() || !cpus.is_array() || !memory.is_array() || times.size() > kMostReadings ||
      cpus.size() != times.size() || memory.size() != times.size()) {
    return Wrong("session_utilization_* are not lists of one length");
  }
  for (std::size_t i = 0; i < times.size(); ++i) {
    SystemReading reading;
    const double ns = times[i].is_number() ? times[i].get<double>() * 1e9 : NAN;
    if (!(std::abs(ns) < 1e18)) return Wrong("session_utilization_timestamp holds what is no time");
    reading.time_ns = std::llround(ns);
    const auto used = Percent(memory[i]);
    if (!used) return Wrong("session_utilization_mem_percent holds what is no number");
    reading.memory_percent = *used;
    if (!cpus[i].is_array() || cpus[i].size() > kMostCores) {
      return Wrong("session_utilization_cpus_percent holds what is no list");
    }
    for (const json& core : cpus[i]) {
      const auto busy = Percent(core);
      if (!busy) return Wrong("session_utilization_cpus_percent holds what is no number");
      reading.cpu_percent.push_back(*busy);
    }
    readings.push_back(std::move(reading));
  }
  return {};
}

bool NamesAFile(const ParamSpec& spec) {
  return spec.type == ParamType::kPath || spec.type == ParamType::kUri;
}

json ChangedParameters(const ScenarioBlock& block) {
  json parameters = json::object();
  for (const ParamSpec& spec : block.info->schema.params) {
    const auto found = block.params.values().find(spec.name);
    if (found == block.params.values().end() || NamesAFile(spec)) continue;
    if (found->second == spec.default_value.value_or(ParamValue{})) continue;
    parameters[spec.name] = scenario::ToJson<json>(found->second);
  }
  return parameters;
}

/// "kenning.optimizers.tflite.TFLiteCompiler" among the block's names; its own where there is none.
std::string KenningPath(const BlockInfo& info) {
  for (const std::string& alias : info.aliases) {
    if (alias.starts_with("kenning.optimizers.")) return alias;
  }
  return info.name;
}

}  // namespace

PlatformInfo PlatformFromHello(const std::string& text) {
  const json hello = ParseObject(text);
  const json& cpu = At(hello, "cpu");
  PlatformInfo platform;
  platform.cpu_model = Text(At(cpu, "model"));
  platform.architecture = Text(At(cpu, "architecture"));
  const std::uint64_t cores = Count(At(cpu, "cores"));
  if (cores <= kMostCores) platform.logical_cores = static_cast<unsigned>(cores);
  if (const json& features = At(cpu, "features"); features.is_array()) {
    for (const json& feature : features) {
      if (platform.features.size() < kLongestText) platform.features.push_back(Text(feature));
    }
  }
  platform.memory_bytes = Count(At(hello, "memory_bytes"));
  platform.kernel = Text(At(hello, "kernel"));
  return platform;
}

Result<> ReadStatistics(const std::string& text, TargetRun& run) {
  run.system.clear();
  run.sensors.clear();
  if (run.native) {
    KENNING_ASSIGN_OR_RETURN(TargetStatistics statistics, ParseTargetStatistics(text));
    run.system = std::move(statistics.readings);
    run.sensors = std::move(statistics.sensors);
    return {};
  }
  const json file = ParseObject(text);
  if (!file.is_object()) return Wrong("no JSON object");
  return ReadKenningStatistics(file, run.system);
}

std::string ParametersForTarget(const ScenarioBlock& block) {
  return ChangedParameters(block).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string OptimizersForTarget(std::span<const ScenarioBlock> blocks, bool native) {
  json list = json::array();
  for (const ScenarioBlock& block : blocks) {
    json parameters = ChangedParameters(block);
    // Where it runs is settled; the agent takes it for a mistake to send it on.
    parameters.erase("location");
    if (!native) {
      parameters["location"] = "target";
      parameters["compiled_model_path"] = block.params.String("compiled_model_path");
    }
    list.push_back({{"type", native ? block.info->name : KenningPath(*block.info)},
                    {"parameters", std::move(parameters)}});
  }
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace kenning
