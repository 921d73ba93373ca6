// SPDX-License-Identifier: Apache-2.0
#include "report/target_json.h"

#include <fmt/format.h>

#include <array>

#include "report/json_values.h"
#include "report/system_json.h"

namespace kenning {
namespace {

using nlohmann::json;

/// Sums of five stay within 64 bits.
std::int64_t TargetNanoseconds(const json& value) {
  constexpr std::int64_t kMostNs = 1'000'000'000'000'000'000;
  return Whole<std::int64_t>(value, -kMostNs, kMostNs);
}

json ClockToJson(const std::vector<ClockReading>& clock, std::int64_t base_ns) {
  json list = json::array();
  for (const ClockReading& reading : clock) {
    list.push_back({{"host_ns", reading.host_ns - base_ns},
                    {"offset_ns", reading.offset_ns},
                    {"uncertainty_ns", reading.uncertainty_ns},
                    {"round_trip_ns", reading.round_trip_ns}});
  }
  return list;
}

std::vector<ClockReading> ClockFromJson(const json& list, std::int64_t base_ns) {
  std::vector<ClockReading> clock;
  for (const json& item : List(list)) {
    clock.push_back({base_ns + Nanoseconds(item.at("host_ns")), Nanoseconds(item.at("offset_ns")),
                     Nanoseconds(item.at("uncertainty_ns")),
                     Nanoseconds(item.at("round_trip_ns"))});
  }
  return clock;
}

/// Columns of small numbers: the first time from `first_received_ns`, each other from the one
/// before it.
json TimesToJson(const std::vector<TargetTimes>& times) {
  json received = json::array();
  json queue = json::array();
  json invoke = json::array();
  json answer = json::array();
  json process = json::array();
  const std::int64_t first = times.empty() ? 0 : times.front().received_ns;
  for (const TargetTimes& t : times) {
    received.push_back(t.received_ns - first);
    queue.push_back(t.invoke_start_ns - t.received_ns);
    invoke.push_back(t.invoke_end_ns - t.invoke_start_ns);
    answer.push_back(t.sent_ns - t.invoke_end_ns);
    process.push_back(t.process_ns);
  }
  return {{"first_received_ns", first},     {"received_ns", std::move(received)},
          {"queue_ns", std::move(queue)},   {"invoke_ns", std::move(invoke)},
          {"answer_ns", std::move(answer)}, {"process_ns", std::move(process)}};
}

std::vector<TargetTimes> TimesFromJson(const json& item) {
  const std::array<const json*, 5> columns = {
      &List(item.at("received_ns")), &List(item.at("queue_ns")), &List(item.at("invoke_ns")),
      &List(item.at("answer_ns")), &List(item.at("process_ns"))};
  for (const json* column : columns) {
    if (column->size() != columns[0]->size()) {
      ThrowWrongValue(*column,
                      fmt::format("a list as long as received_ns ({})", columns[0]->size()));
    }
  }
  const std::int64_t first = TargetNanoseconds(item.at("first_received_ns"));
  std::vector<TargetTimes> times;
  times.reserve(columns[0]->size());
  for (std::size_t row = 0; row < columns[0]->size(); ++row) {
    TargetTimes t;
    t.received_ns = first + TargetNanoseconds((*columns[0])[row]);
    t.invoke_start_ns = t.received_ns + TargetNanoseconds((*columns[1])[row]);
    t.invoke_end_ns = t.invoke_start_ns + TargetNanoseconds((*columns[2])[row]);
    t.sent_ns = t.invoke_end_ns + TargetNanoseconds((*columns[3])[row]);
    t.process_ns = TargetNanoseconds((*columns[4])[row]);
    times.push_back(t);
  }
  return times;
}

}  // namespace

json PlatformToJson(const PlatformInfo& platform) {
  return {{"name", platform.name},
          {"cpu_model", platform.cpu_model},
          {"architecture", platform.architecture},
          {"logical_cores", platform.logical_cores},
          {"features", platform.features},
          {"memory_bytes", platform.memory_bytes},
          {"kernel", platform.kernel},
          {"extra", platform.extra}};
}

PlatformInfo PlatformFromJson(const json& item) {
  return {item.at("name"),         item.at("cpu_model"),
          item.at("architecture"), Whole<unsigned>(item.at("logical_cores")),
          item.at("features"),     Whole<std::uint64_t>(item.at("memory_bytes")),
          item.at("kernel"),       item.at("extra")};
}

json TargetToJson(const TargetRun& target, std::int64_t base_ns) {
  json system = json::array();
  for (const SystemReading& reading : target.system) {
    system.push_back(SystemReadingToJson(reading, 0));
  }
  json optimisations = json::array();
  for (const HostSpan& span : target.optimisations) {
    optimisations.push_back(
        {{"start_ns", span.start_ns - base_ns}, {"duration_ns", span.end_ns - span.start_ns}});
  }
  return {{"protocol", target.protocol},
          {"address", target.address},
          {"native", target.native},
          {"agent_version", target.agent_version},
          {"runtime", target.runtime},
          {"platform", PlatformToJson(target.platform)},
          {"clock", ClockToJson(target.clock, base_ns)},
          {"times", TimesToJson(target.times)},
          {"system", std::move(system)},
          {"sensors", SensorsToJson<json>(target.sensors)},
          {"optimisations", std::move(optimisations)},
          {"statistics_json", target.statistics_json}};
}

TargetRun TargetFromJson(const json& item, std::int64_t base_ns) {
  TargetRun target;
  target.protocol = item.at("protocol");
  target.address = item.at("address");
  target.native = item.at("native");
  target.agent_version = item.at("agent_version");
  target.runtime = item.at("runtime");
  target.platform = PlatformFromJson(item.at("platform"));
  target.clock = ClockFromJson(item.at("clock"), base_ns);
  target.times = TimesFromJson(item.at("times"));
  if (item.contains("sensors")) target.sensors = SensorsFromJson(item["sensors"]);
  for (const json& reading : List(item.at("system"))) {
    target.system.push_back(SystemReadingFromJson(reading, 0, target.sensors.size()));
  }
  for (const json& span : List(item.at("optimisations"))) {
    const std::int64_t start = base_ns + Nanoseconds(span.at("start_ns"));
    target.optimisations.push_back({start, start + TargetNanoseconds(span.at("duration_ns"))});
  }
  target.statistics_json = item.at("statistics_json");
  return target;
}

}  // namespace kenning
