// SPDX-License-Identifier: Apache-2.0
/// \file
/// A target's statistics as JSON: Kenning's STATS, and the richer form of this project
/// (docs/formats/target-statistics.md).
#pragma once

#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "measure/sampler.h"

namespace kenning {

/// Kenning's keys and no others: session_utilization_cpus_percent, …_mem_percent, …_timestamp (s),
/// and with a GPU …_gpu_utilization, …_gpu_mem_utilization, …_gpu_timestamp.
std::string KenningStatisticsJson(const TargetStatistics& statistics);

/// Everything. Times stay those of the machine's own monotonic clock, ns.
std::string TargetStatisticsJson(const TargetStatistics& statistics);
/// Reads what TargetStatisticsJson makes, from a peer that nobody vouches for. Keys that it does
/// not know are ignored. \return kInvalidData naming what is wrong.
Result<TargetStatistics> ParseTargetStatistics(std::string_view json);

/// Index of the first sensor of this kind that is read through NVML; -1 where there is none.
int GpuSensor(const std::vector<Sensor>& sensors, SensorKind kind);

}  // namespace kenning
