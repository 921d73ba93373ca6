// SPDX-License-Identifier: Apache-2.0
#include "measure/statistics_json.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "measure/sensor_json.h"

namespace kenning {
namespace {

using nlohmann::json;

constexpr int kFormatVersion = 1;
constexpr std::size_t kMostReadings = 1'000'000;
constexpr std::size_t kMostSensors = 4096;
constexpr std::size_t kMostCores = 65'536;
constexpr std::size_t kLongestText = 512;
constexpr int kDeepest = 8;

/// NaN and infinity become null.
std::string Dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// A wrong value, told by what was being read.
struct Wrong {
  std::string what;
};

const json& Member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end()) throw Wrong{fmt::format("\"{}\" is missing", name)};
  return *found;
}

const json& ListOf(const json& object, const char* name, std::size_t most) {
  const json& list = Member(object, name);
  if (!list.is_array() || list.size() > most) {
    throw Wrong{fmt::format("\"{}\" is not a list of at most {}", name, most)};
  }
  return list;
}

double NumberOrNan(const json& value, const char* name) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value.is_number()) throw Wrong{fmt::format("\"{}\" holds what is no number", name)};
  return value.get<double>();
}

std::uint64_t Count(const json& value, const char* name) {
  if (!value.is_number_unsigned()) {
    throw Wrong{fmt::format("\"{}\" holds what is no count", name)};
  }
  return value.get<std::uint64_t>();
}

/// 126 years either way, so that differences do not overflow.
std::int64_t Nanoseconds(const json& value, const char* name) {
  constexpr std::int64_t kMost = 4'000'000'000'000'000'000;
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{kMost}) ||
      value.get<std::int64_t>() < -kMost || value.get<std::int64_t>() > kMost) {
    throw Wrong{fmt::format("\"{}\" holds what is no time", name)};
  }
  return value.get<std::int64_t>();
}

std::string Text(const json& object, const char* name) {
  const json& value = Member(object, name);
  if (!value.is_string() || value.get_ref<const std::string&>().size() > kLongestText) {
    throw Wrong{fmt::format("\"{}\" is no short text", name)};
  }
  return value.get<std::string>();
}

double NotNegative(const json& object, const char* name) {
  if (!object.contains(name)) return 0;
  const double value = NumberOrNan(object[name], name);
  if (!(value >= 0)) throw Wrong{fmt::format("\"{}\" is negative or no number", name)};
  return value;
}

/// Sensors of kinds that this version does not know are left out; `kept` tells which stayed.
std::vector<Sensor> SensorsFromJson(const json& list, std::vector<bool>& kept) {
  std::vector<Sensor> sensors;
  for (const json& item : list) {
    if (!item.is_object()) throw Wrong{"\"sensors\" holds what is no object"};
    const std::optional<SensorKind> kind = SensorKindOf(Text(item, "kind"));
    kept.push_back(kind.has_value());
    if (!kind) continue;
    Sensor sensor{Text(item, "name"), *kind, Text(item, "source"), "", 0, 0};
    if (item.contains("unavailable")) sensor.unavailable = Text(item, "unavailable");
    sensor.resolution = NotNegative(item, "resolution");
    sensor.refresh_s = NotNegative(item, "refresh_s");
    sensors.push_back(std::move(sensor));
  }
  return sensors;
}

SystemReading ReadingFromRow(const json& columns, std::size_t row, const std::vector<bool>& kept) {
  const auto at = [&columns, row](const char* name) -> const json& { return columns[name][row]; };
  SystemReading reading;
  reading.time_ns = Nanoseconds(at("time_ns"), "time_ns");
  const json& cores = at("cpu_percent");
  if (!cores.is_array() || cores.size() > kMostCores) {
    throw Wrong{"\"cpu_percent\" holds what is no list"};
  }
  for (const json& core : cores) {
    reading.cpu_percent.push_back(static_cast<float>(NumberOrNan(core, "cpu_percent")));
  }
  reading.memory_percent = static_cast<float>(NumberOrNan(at("memory_percent"), "memory_percent"));
  reading.memory_used_bytes = Count(at("memory_used_bytes"), "memory_used_bytes");
  reading.process_resident_bytes = Count(at("process_resident_bytes"), "process_resident_bytes");
  reading.session_resident_bytes = Count(at("session_resident_bytes"), "session_resident_bytes");
  reading.frequency_mhz = static_cast<float>(NumberOrNan(at("frequency_mhz"), "frequency_mhz"));
  reading.temperature_c = static_cast<float>(NumberOrNan(at("temperature_c"), "temperature_c"));
  const json& values = at("values");
  if (!values.is_array() || values.size() != kept.size()) {
    throw Wrong{"\"values\" does not hold one value a sensor"};
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i]) reading.values.push_back(NumberOrNan(values[i], "values"));
  }
  return reading;
}

constexpr const char* kColumns[] = {"time_ns",
                                    "cpu_percent",
                                    "memory_percent",
                                    "memory_used_bytes",
                                    "process_resident_bytes",
                                    "session_resident_bytes",
                                    "frequency_mhz",
                                    "temperature_c",
                                    "values"};

TargetStatistics FromJson(const json& file) {
  if (!file.is_object()) throw Wrong{"it is no object"};
  if (const auto version = Count(Member(file, "format_version"), "format_version");
      version != kFormatVersion) {
    throw Wrong{
        fmt::format("\"format_version\" is {}, this version reads {}", version, kFormatVersion)};
  }
  TargetStatistics statistics;
  std::vector<bool> kept;
  statistics.sensors = SensorsFromJson(ListOf(file, "sensors", kMostSensors), kept);
  statistics.memory_total_bytes = Count(Member(file, "memory_total_bytes"), "memory_total_bytes");
  statistics.process_peak_resident_bytes =
      Count(Member(file, "process_peak_resident_bytes"), "process_peak_resident_bytes");
  statistics.session_peak_resident_bytes =
      Count(Member(file, "session_peak_resident_bytes"), "session_peak_resident_bytes");
  const json& columns = Member(file, "readings");
  if (!columns.is_object()) throw Wrong{"\"readings\" is no object of columns"};
  const std::size_t rows = ListOf(columns, "time_ns", kMostReadings).size();
  for (const char* name : kColumns) {
    if (ListOf(columns, name, kMostReadings).size() != rows) {
      throw Wrong{fmt::format("\"{}\" is not as long as \"time_ns\"", name)};
    }
  }
  for (std::size_t row = 0; row < rows; ++row) {
    statistics.readings.push_back(ReadingFromRow(columns, row, kept));
  }
  return statistics;
}

}  // namespace

int GpuSensor(const std::vector<Sensor>& sensors, SensorKind kind) {
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    if (sensors[i].kind == kind && sensors[i].source == "nvml" && sensors[i].unavailable.empty()) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

std::string KenningStatisticsJson(const TargetStatistics& statistics) {
  json cpus = json::array();
  json memory = json::array();
  json times = json::array();
  json gpu = json::array();
  json gpu_memory = json::array();
  json gpu_times = json::array();
  const int gpu_sensor = GpuSensor(statistics.sensors, SensorKind::kUtilization);
  const int memory_sensor = GpuSensor(statistics.sensors, SensorKind::kMemory);
  for (const SystemReading& reading : statistics.readings) {
    const double time_s = static_cast<double>(reading.time_ns) * 1e-9;
    cpus.push_back(reading.cpu_percent);
    memory.push_back(reading.memory_percent);
    times.push_back(time_s);
    if (gpu_sensor < 0 || memory_sensor < 0) continue;
    gpu.push_back(reading.values[static_cast<std::size_t>(gpu_sensor)]);
    gpu_memory.push_back(reading.values[static_cast<std::size_t>(memory_sensor)]);
    gpu_times.push_back(time_s);
  }
  json out = {{"session_utilization_cpus_percent", std::move(cpus)},
              {"session_utilization_mem_percent", std::move(memory)},
              {"session_utilization_timestamp", std::move(times)}};
  if (gpu_sensor >= 0 && memory_sensor >= 0) {
    out["session_utilization_gpu_utilization"] = std::move(gpu);
    out["session_utilization_gpu_mem_utilization"] = std::move(gpu_memory);
    out["session_utilization_gpu_timestamp"] = std::move(gpu_times);
  }
  return Dump(out);
}

std::string TargetStatisticsJson(const TargetStatistics& statistics) {
  json columns = json::object();
  for (const char* name : kColumns) columns[name] = json::array();
  for (const SystemReading& reading : statistics.readings) {
    columns["time_ns"].push_back(reading.time_ns);
    columns["cpu_percent"].push_back(reading.cpu_percent);
    columns["memory_percent"].push_back(reading.memory_percent);
    columns["memory_used_bytes"].push_back(reading.memory_used_bytes);
    columns["process_resident_bytes"].push_back(reading.process_resident_bytes);
    columns["session_resident_bytes"].push_back(reading.session_resident_bytes);
    columns["frequency_mhz"].push_back(reading.frequency_mhz);
    columns["temperature_c"].push_back(reading.temperature_c);
    columns["values"].push_back(reading.values);
  }
  return Dump({{"format_version", kFormatVersion},
               {"sensors", SensorsToJson<json>(statistics.sensors)},
               {"memory_total_bytes", statistics.memory_total_bytes},
               {"process_peak_resident_bytes", statistics.process_peak_resident_bytes},
               {"session_peak_resident_bytes", statistics.session_peak_resident_bytes},
               {"readings", std::move(columns)}});
}

Result<TargetStatistics> ParseTargetStatistics(std::string_view text) {
  const auto fail = [](const std::string& what) {
    return Fail(ErrorCode::kInvalidData, "the target's statistics: " + what);
  };
  bool deep = false;
  const auto watch = [&deep](int depth, json::parse_event_t, json&) {
    deep |= depth > kDeepest;
    return !deep;
  };
  const json file = json::parse(text, watch, false);
  if (file.is_discarded() || deep) return fail("not JSON as it is expected");
  try {
    return FromJson(file);
  } catch (const Wrong& wrong) {
    return fail(wrong.what);
  }
}

}  // namespace kenning
