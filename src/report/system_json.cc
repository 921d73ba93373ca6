// SPDX-License-Identifier: Apache-2.0
#include "report/system_json.h"

#include <fmt/format.h>

#include "measure/sensors.h"
#include "report/json_values.h"

namespace kenning {

using nlohmann::json;

std::vector<Sensor> SensorsFromJson(const json& list) {
  std::vector<Sensor> sensors;
  for (const json& item : List(list)) {
    const auto kind = SensorKindOf(item.at("kind").get<std::string>());
    if (!kind) ThrowWrongValue(item["kind"], "a kind of sensor");
    Sensor sensor{item.at("name"), *kind, item.at("source"), item.value("unavailable", ""), 0, 0};
    if (item.contains("resolution")) sensor.resolution = Real(item["resolution"]);
    if (item.contains("refresh_s")) sensor.refresh_s = Real(item["refresh_s"]);
    sensors.push_back(std::move(sensor));
  }
  return sensors;
}

json SystemReadingToJson(const SystemReading& r, std::int64_t base_ns) {
  json item = {
      {"time_ns", r.time_ns - base_ns},     {"cpu_percent", r.cpu_percent},
      {"memory_percent", r.memory_percent}, {"process_resident_bytes", r.process_resident_bytes},
      {"frequency_mhz", r.frequency_mhz},   {"temperature_c", r.temperature_c}};
  if (r.memory_used_bytes > 0) item["memory_used_bytes"] = r.memory_used_bytes;
  if (r.session_resident_bytes > 0) item["session_resident_bytes"] = r.session_resident_bytes;
  if (!r.values.empty()) item["values"] = r.values;
  return item;
}

SystemReading SystemReadingFromJson(const json& r, std::int64_t base_ns, std::size_t sensors) {
  SystemReading reading;
  reading.time_ns = base_ns + Nanoseconds(r.at("time_ns"));
  reading.cpu_percent = Floats(r.at("cpu_percent"));
  reading.memory_percent = static_cast<float>(Real(r.at("memory_percent")));
  reading.process_resident_bytes = Whole<std::uint64_t>(r.at("process_resident_bytes"));
  reading.frequency_mhz = static_cast<float>(Real(r.at("frequency_mhz")));
  reading.temperature_c = static_cast<float>(Real(r.at("temperature_c")));
  if (r.contains("memory_used_bytes")) {
    reading.memory_used_bytes = Whole<std::uint64_t>(r["memory_used_bytes"]);
  }
  if (r.contains("session_resident_bytes")) {
    reading.session_resident_bytes = Whole<std::uint64_t>(r["session_resident_bytes"]);
  }
  if (!r.contains("values")) return reading;
  for (const json& value : List(r["values"])) reading.values.push_back(Real(value));
  if (reading.values.size() != sensors) {
    ThrowWrongValue(r["values"], fmt::format("{} values, one a sensor", sensors));
  }
  return reading;
}

}  // namespace kenning
