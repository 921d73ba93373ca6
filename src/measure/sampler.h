// SPDX-License-Identifier: Apache-2.0
/// \file
/// SystemSampler: reads the machine at a fixed step on a thread of its own.
#pragma once

#include <memory>
#include <vector>

#include "kenning/core/measurement_log.h"

namespace kenning {

/// Costs one wake-up and a few small reads of /proc and /sys a step; the first and last reading are
/// taken at Start and Stop. The destructor stops.
class SystemSampler {
 public:
  SystemSampler();
  ~SystemSampler();
  SystemSampler(const SystemSampler&) = delete;
  SystemSampler& operator=(const SystemSampler&) = delete;
  void Start(double interval_s);
  /// Stops the thread and returns all readings.
  std::vector<SystemReading> Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Peak resident memory of this process (VmHWM), bytes; 0 where unknown.
std::uint64_t ProcessPeakResidentBytes();

}  // namespace kenning
