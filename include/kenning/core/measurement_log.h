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

/// One reading of the machine. Percentages are of the interval before it.
struct SystemReading {
  std::int64_t time_ns = 0;
  std::vector<float> cpu_percent;  ///< Per logical core.
  float memory_percent = 0;        ///< System-wide, used of total.
  std::uint64_t process_resident_bytes = 0;
  float frequency_mhz = 0;  ///< Mean over cores; 0 where unknown.
  float temperature_c = 0;  ///< Hottest zone; 0 where unknown.
};

struct MeasurementLog {
  std::vector<Observation> observations;
  std::vector<SystemReading> system;
  std::int64_t started_ns = 0;
  std::int64_t ended_ns = 0;
  std::uint64_t process_peak_resident_bytes = 0;
  bool complete = false;  ///< false: the run was cut short; what is here is valid.
};

}  // namespace kenning
