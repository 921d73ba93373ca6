// SPDX-License-Identifier: Apache-2.0
// What the machine that ran the model did meanwhile.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kenning/base/strings.h"
#include "measure/energy.h"
#include "measure/sensors.h"
#include "report/sections.h"
#include "report/text.h"

namespace kenning {
namespace {

using Rows = std::vector<std::vector<std::string>>;

struct MeanAndMaximum {
  double sum = 0;
  double maximum = 0;
  std::size_t count = 0;

  void Add(double value) {
    if (!std::isfinite(value)) return;
    maximum = count == 0 ? value : std::max(maximum, value);
    sum += value;
    ++count;
  }
  void AddRow(Rows& rows, const std::string& name, const char* unit) const {
    if (count == 0) return;
    rows.push_back({name, fmt::format("{:.1f} {}", sum / static_cast<double>(count), unit),
                    fmt::format("{:.1f} {}", maximum, unit)});
  }
};

std::string SystemTable(const MeasurementLog& log, const char* title) {
  if (log.system.size() < 2) return "";
  Rows rows = {{title, "mean", "maximum"}};
  MeanAndMaximum cpu;
  MeanAndMaximum memory;
  MeanAndMaximum frequency;
  MeanAndMaximum temperature;
  for (std::size_t i = 1; i < log.system.size(); ++i) {
    const SystemReading& reading = log.system[i];
    for (const float percent : reading.cpu_percent) cpu.Add(static_cast<double>(percent));
    memory.Add(static_cast<double>(reading.memory_percent));
    if (reading.frequency_mhz > 0) frequency.Add(static_cast<double>(reading.frequency_mhz));
    if (reading.temperature_c > 0) temperature.Add(static_cast<double>(reading.temperature_c));
  }
  cpu.AddRow(rows, "CPU, over cores", "%");
  memory.AddRow(rows, "system memory", "%");
  frequency.AddRow(rows, "frequency, mean over cores", "MHz");
  temperature.AddRow(rows, "hottest zone", "°C");
  if (log.process_peak_resident_bytes > 0) {
    rows.push_back(
        {"resident memory of the process", "", HumanBytes(log.process_peak_resident_bytes)});
  }
  return MarkdownTable(rows);
}

/// "12.3 mJ ± 0.4 mJ".
std::string FormatJoules(const Uncertain& joules) {
  const auto one = [](double value) {
    constexpr const char* kUnits[] = {"J", "mJ", "µJ"};
    std::size_t unit = 0;
    for (; unit < 2 && std::abs(value) < 1; ++unit) value *= 1000;
    return fmt::format("{:.3g} {}", value, kUnits[unit]);
  };
  return one(joules.value) + " ± " + one(joules.uncertainty);
}

/// The span of the measured samples, from the first load to the last postprocessing.
bool MeasuredSpan(const MeasurementLog& log, std::int64_t& start_ns, std::int64_t& end_ns,
                  std::uint64_t& samples) {
  samples = 0;
  bool any = false;
  for (const Observation& o : log.observations) {
    if (o.phase != Phase::kMeasured) continue;
    start_ns = any ? std::min(start_ns, o.start_ns) : o.start_ns;
    end_ns = any ? std::max(end_ns, o.end_ns) : o.end_ns;
    any = true;
    if (o.step == Step::kInference) samples += o.sample_count;
  }
  return any;
}

std::string EnergyTable(std::span<const EnergySummary> summaries) {
  Rows rows = {{"Energy", "whole run", "a sample", "from"}};
  for (const EnergySummary& summary : summaries) {
    rows.push_back({EscapeMarkdown(summary.name),
                    summary.joules ? FormatJoules(*summary.joules) : "not resolved",
                    summary.per_inference ? FormatJoules(*summary.per_inference) : "",
                    summary.joules ? fmt::format("{}, {}", EscapeMarkdown(summary.source),
                                                 summary.counter ? "a counter" : "samples of power")
                                   : EscapeMarkdown(summary.reason)});
  }
  return MarkdownTable(rows);
}

std::string MissingSensors(const std::vector<Sensor>& sensors) {
  std::string lines;
  for (const Sensor& sensor : sensors) {
    if (sensor.unavailable.empty()) continue;
    lines += fmt::format("- {} ({}): {}\n", EscapeMarkdown(sensor.name),
                         SensorKindName(sensor.kind), EscapeMarkdown(sensor.unavailable));
  }
  if (lines.empty()) return "";
  return "<details><summary>Not measured on this machine</summary>\n\n" + lines +
         "\n</details>\n\n";
}

}  // namespace

MeasurementLog SystemOfTheModel(const RunRecord& run) {
  MeasurementLog log;
  log.started_ns = run.log.started_ns;
  log.ended_ns = run.log.ended_ns;
  if (!run.target) {
    log.system = run.log.system;
    log.sensors = run.log.sensors;
    log.process_peak_resident_bytes = run.log.process_peak_resident_bytes;
    return log;
  }
  log.sensors = run.target->sensors;
  for (SystemReading reading : run.target->system) {
    reading.time_ns = ToHostClock(run.target->clock, reading.time_ns);
    log.process_peak_resident_bytes =
        std::max(log.process_peak_resident_bytes, reading.process_resident_bytes);
    log.system.push_back(std::move(reading));
  }
  return log;
}

std::string MachineText(const RunRecord& run) {
  std::string text =
      SystemTable(run.log, run.target ? "Host during the run" : "System during the run");
  const MeasurementLog machine = SystemOfTheModel(run);
  if (run.target) text += SystemTable(machine, "Target during the run");
  if (machine.system.size() < 2) return text;
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint64_t samples = 0;
  if (MeasuredSpan(run.log, start_ns, end_ns, samples)) {
    const auto energy = SummariseEnergy(machine.sensors, machine.system, start_ns, end_ns, samples);
    if (!energy.empty()) {
      text +=
          "Energy of the machine's parts over the measured samples, loading and preprocessing, "
          "idle consumption and other processes included:\n\n" +
          EnergyTable(energy);
    }
    for (const std::string& sentence :
         DescribeThrottling(machine.sensors, machine.system, start_ns, end_ns)) {
      text += fmt::format("> Warning: {}\n\n", EscapeMarkdown(sentence));
    }
  }
  return text + MissingSensors(machine.sensors);
}

}  // namespace kenning
