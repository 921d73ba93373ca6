// SPDX-License-Identifier: Apache-2.0
/// \file
/// SensorSet: temperatures, frequencies, throttling, power and energy of the machine that it runs
/// on, from /proc, /sys and, where its library is there, NVIDIA's NVML. Linux.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/core/measurement_log.h"

namespace kenning {

/// "temperature", "energy", …: names in files; they never change.
std::string_view SensorKindName(SensorKind kind);
std::optional<SensorKind> SensorKindOf(std::string_view name);
/// "°C", "J", …; empty for plain numbers.
std::string_view SensorUnit(SensorKind kind);

struct SensorOptions {
  std::filesystem::path root = "/";  ///< Another folder in tests.
  /// Loaded at run time; empty: GPUs are not looked for.
  std::string nvml_library = "libnvidia-ml.so.1";
  /// That stay open; further sensors are listed as not read.
  int most_files = 400;
};

/// Everything is found and every file is opened by the constructor: afterwards nothing is opened
/// any more, so that it works in a process that gave the right to do so away. One thread at a time.
class SensorSet {
 public:
  explicit SensorSet(const SensorOptions& options = {});
  ~SensorSet();
  SensorSet(const SensorSet&) = delete;
  SensorSet& operator=(const SensorSet&) = delete;

  /// What there is, and what is not read with the reason.
  const std::vector<Sensor>& sensors() const;
  /// One value a sensor; NaN where it gave none this time.
  void Read(std::span<double> values);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The running total of a counter in microjoules that starts over at `range_uj` (0: it never does,
/// as far as is known). Overflow is seen as long as it is read at least once a turn.
class EnergyCounter {
 public:
  explicit EnergyCounter(double range_uj) : range_uj_(range_uj) {}
  /// Joules since the first call; NaN where `raw_uj` is no possible value, and from then on where
  /// the counter went back without a reason (the device was reset): the total is lost.
  double Update(double raw_uj);

 private:
  double range_uj_;
  double last_uj_ = -1;
  double total_uj_ = 0;
  bool lost_ = false;
};

}  // namespace kenning
