// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/target_doctor.h"

namespace kenning {
namespace {

using Json = nlohmann::ordered_json;

/// The value that `part` of all are below.
std::int64_t Quantile(std::vector<std::int64_t> values, double part) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
}

Json DescriptionJson(const TargetDescription& target) {
  Json engines = Json::array();
  for (const TargetDescription::Engine& engine : target.engines) {
    engines.push_back({{"engine", engine.engine},
                       {"version", engine.version},
                       {"runtime", engine.runtime},
                       {"formats", engine.formats}});
  }
  Json json = {{"agent_version", target.agent_version},
               {"authentication", target.authentication},
               {"engines", std::move(engines)},
               {"cpu",
                {{"model", target.cpu_model},
                 {"architecture", target.architecture},
                 {"cores", target.cores},
                 {"features", target.features}}},
               {"memory_bytes", target.memory_bytes},
               {"kernel", target.kernel},
               {"user", target.user}};
  if (target.sandbox) json["sandbox"] = *target.sandbox;
  if (target.store_max_bytes) {
    json["store"] = {{"used_bytes", target.store_used_bytes.value_or(0)},
                     {"max_bytes", *target.store_max_bytes}};
  }
  return json;
}

}  // namespace

std::string DescribeReport(const DoctorReport& report) {
  std::string text = report.target + "\n";
  std::size_t width = 0;
  for (const DoctorLine& line : report.lines) width = std::max(width, line.topic.size());
  for (const DoctorLine& line : report.lines) {
    text += fmt::format("  {:<7}  {:<{}}  {}\n", FindingName(line.finding), line.topic, width,
                        line.text);
    if (!line.advice.empty())
      text += fmt::format("  {:<7}  {:<{}}  -> {}\n", "", "", width, line.advice);
  }
  return text;
}

std::string ReportToJson(const DoctorReport& report) {
  Json lines = Json::array();
  for (const DoctorLine& line : report.lines) {
    Json one = {{"finding", FindingName(line.finding)}, {"topic", line.topic}, {"text", line.text}};
    if (!line.advice.empty()) one["advice"] = line.advice;
    lines.push_back(std::move(one));
  }
  Json json = {{"target", report.target},
               {"reachable", report.reachable},
               {"native", report.native},
               {"lines", std::move(lines)}};
  if (report.reachable && report.connect_s > 0) json["connect_s"] = report.connect_s;
  if (!report.round_trips_ns.empty()) {
    json["round_trip_ns"] = {{"count", report.round_trips_ns.size()},
                             {"median", Quantile(report.round_trips_ns, 0.5)},
                             {"p99", Quantile(report.round_trips_ns, 0.99)}};
  }
  if (!report.echoes.empty()) {
    Json echoes = Json::array();
    for (const EchoRate& echo : report.echoes) {
      echoes.push_back({{"bytes", echo.bytes},
                        {"seconds", echo.seconds},
                        {"bytes_per_second", echo.bytes_per_second}});
    }
    json["throughput"] = std::move(echoes);
  }
  if (report.clock) {
    json["clock"] = {{"offset_ns", report.clock->offset_ns},
                     {"uncertainty_ns", report.clock->uncertainty_ns},
                     {"round_trip_ns", report.clock->round_trip_ns}};
  }
  if (report.native) json["description"] = DescriptionJson(report.description);
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kenning
