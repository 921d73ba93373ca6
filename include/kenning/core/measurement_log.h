// SPDX-License-Identifier: Apache-2.0
/// \file
/// Raw facts of a run: append-only; derived figures are computed elsewhere and never stored here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kenning {

enum class Phase : std::uint8_t { kWarmUp, kMeasured };

/// What a span of time was spent on. Times are MonotonicNowNs of the machine that ran it.
enum class Step : std::uint8_t {
  kLoad,         ///< Reading and decoding samples.
  kPreprocess,   ///< ModelWrapper::Preprocess and quantising casts.
  kInference,    ///< Session::Invoke and nothing else.
  kPostprocess,  ///< Dequantising casts and ModelWrapper::Postprocess.
};
inline constexpr int kStepCount = 4;

struct Observation {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  std::uint32_t first_sample = 0;  ///< Id of the batch's first sample.
  std::uint16_t sample_count = 1;
  Step step = Step::kInference;
  Phase phase = Phase::kMeasured;
};

/// What a sensor measures, which fixes its unit.
enum class SensorKind : std::uint8_t {
  kTemperature,     ///< °C
  kFrequency,       ///< MHz
  kFrequencyLimit,  ///< percent of what the processor can: below 100 it is held back
  kThrottleEvents,  ///< count, growing
  kThrottleState,   ///< number; 0: not held back
  kPower,           ///< W
  kEnergy,          ///< J since the sampler was made, growing
  kUtilization,     ///< percent
  kMemory,          ///< percent
};
inline constexpr int kSensorKindCount = 9;

/// One quantity that the machine could tell, and where it comes from.
struct Sensor {
  std::string name;  ///< As the machine names it: "package-0", "cpu0", "VDD_IN".
  SensorKind kind = SensorKind::kTemperature;
  std::string source;  ///< How it is read: "thermal zone", "cpufreq", "powercap", "hwmon", "nvml"…
  /// Empty: it is read. Else why not, and the remedy where there is one (which file, what right).
  std::string unavailable;
  double resolution = 0;  ///< Smallest step of the value, in its unit; 0: unknown.
  double refresh_s = 0;   ///< How often the machine renews the value; 0: unknown.
  bool operator==(const Sensor&) const = default;
};

/// One reading of the machine. Percentages are of the interval before it.
struct SystemReading {
  std::int64_t time_ns = 0;
  std::vector<float> cpu_percent;  ///< Per logical core.
  float memory_percent = 0;        ///< System-wide, used of total.
  std::uint64_t process_resident_bytes = 0;
  float frequency_mhz = 0;                   ///< Mean over cores; 0 where unknown.
  float temperature_c = 0;                   ///< Hottest zone; 0 where unknown.
  std::uint64_t memory_used_bytes = 0;       ///< System-wide; 0 where unknown.
  std::uint64_t session_resident_bytes = 0;  ///< Of a process that was named; 0: none.
  /// One value a sensor of MeasurementLog::sensors, in its order; NaN where it gave none.
  std::vector<double> values;
};

struct MeasurementLog {
  std::vector<Observation> observations;
  std::vector<SystemReading> system;
  std::vector<Sensor> sensors;  ///< What SystemReading::values are, and what could not be read.
  std::int64_t started_ns = 0;
  std::int64_t ended_ns = 0;
  std::uint64_t process_peak_resident_bytes = 0;
  bool complete = false;  ///< false: the run was cut short; what is here is valid.
};

}  // namespace kenning
