// SPDX-License-Identifier: Apache-2.0
/// \file
/// SystemSampler: reads the machine at a fixed step on a thread of its own.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <vector>

#include "kenning/core/measurement_log.h"
#include "measure/sensors.h"

namespace kenning {

struct SamplerOptions {
  SensorOptions sensors;
  /// A process whose memory is read, too (SystemReading::session_resident_bytes); 0: none.
  int session_pid = 0;
  /// When so many readings are there, each two neighbours become one, and from then on half as many
  /// are kept: a session of days needs no more memory than one of minutes.
  std::size_t most_readings = 20'000;
};

/// Reads once. Opens every file in its constructor, as SensorSet does. One thread at a time.
class SystemProbe {
 public:
  explicit SystemProbe(const SamplerOptions& options = {});
  ~SystemProbe();
  SystemProbe(const SystemProbe&) = delete;
  SystemProbe& operator=(const SystemProbe&) = delete;
  const std::vector<Sensor>& sensors() const;
  /// Percentages are of the time since the call before, or since the constructor.
  SystemReading Read();
  std::uint64_t memory_total_bytes() const;
  /// Peak resident memory (VmHWM); 0 where unknown.
  std::uint64_t process_peak_bytes() const;
  std::uint64_t session_peak_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// What a sampler saw, with what it could not see.
struct TargetStatistics {
  std::vector<Sensor> sensors;
  std::vector<SystemReading> readings;
  std::uint64_t memory_total_bytes = 0;
  std::uint64_t process_peak_resident_bytes = 0;
  std::uint64_t session_peak_resident_bytes = 0;
};

/// Costs one wake-up and a system call for each file a step: measured, 50 µs on a busy virtual
/// machine of two cores. The first and last reading are taken at Start and Stop. The destructor
/// stops.
class SystemSampler {
 public:
  explicit SystemSampler(SamplerOptions options = {});
  ~SystemSampler();
  SystemSampler(const SystemSampler&) = delete;
  SystemSampler& operator=(const SystemSampler&) = delete;
  void Start(double interval_s);
  /// Stops the thread and returns all readings.
  std::vector<SystemReading> Stop();
  /// What was read until now, while it goes on; one more reading is taken. Any thread.
  TargetStatistics Statistics();
  const std::vector<Sensor>& sensors() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Peak resident memory of this process (VmHWM), bytes; 0 where unknown.
std::uint64_t ProcessPeakResidentBytes();

}  // namespace kenning
