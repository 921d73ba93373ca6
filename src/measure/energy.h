// SPDX-License-Identifier: Apache-2.0
/// \file
/// Energy of a span of a run, and whether the processor was held back in it: pure functions of
/// readings.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kenning/core/measurement_log.h"

namespace kenning {

/// A value with half the width of the interval that it lies in.
struct Uncertain {
  double value = 0;
  double uncertainty = 0;
};

/// Of one sensor: everything that it measures, idle consumption and other processes included.
struct EnergySummary {
  std::string name;         ///< Of the sensor.
  std::string source;       ///< Of the sensor.
  bool counter = false;     ///< From a counter of energy; else integrated from samples of power.
  double span_s = 0;        ///< That was asked for.
  double covered_s = 0;     ///< Without gaps in the readings.
  double resolution_j = 0;  ///< What a difference of two readings cannot tell apart.
  std::optional<Uncertain> joules;         ///< Empty: see `reason`.
  std::optional<Uncertain> per_inference;  ///< Joules; empty also where there were no inferences.
  std::string reason;  ///< Why there is no number, and how long a run would have one.
};

/// One summary for each sensor of energy or power that was read. `readings` in order of time, of
/// one clock with the span. There is a number only where its uncertainty is at most a fifth of it.
///
/// Counters: the difference over the span; readings around its ends are interpolated, and the part
/// of their interval that the nearer one does not tell counts as uncertainty, and so does what the
/// counter takes up in one step. Power: trapezoids; two standard errors of the mean of as many
/// values as the sensor can have renewed; gaps of more than four steps are left out, counted at the
/// mean power, and their whole energy counts as uncertainty.
std::vector<EnergySummary> SummariseEnergy(std::span<const Sensor> sensors,
                                           std::span<const SystemReading> readings,
                                           std::int64_t start_ns, std::int64_t end_ns,
                                           std::uint64_t inferences);

/// One sentence for each way in which the processor was held back between the two times: reasons to
/// distrust latencies. Empty: nothing was seen.
std::vector<std::string> DescribeThrottling(std::span<const Sensor> sensors,
                                            std::span<const SystemReading> readings,
                                            std::int64_t start_ns, std::int64_t end_ns);

}  // namespace kenning
