// SPDX-License-Identifier: Apache-2.0
/// \file
/// The plots of a report, each as a whole SVG document.
#pragma once

#include <string>
#include <vector>

#include "kenning/core/evaluation.h"
#include "kenning/core/measurement_log.h"

namespace kenning {

struct LatencySeries {
  std::string name;
  std::vector<double> seconds;  ///< In order of the run.
};

/// Latency of each inference in the order of the run, with the median. Long runs are thinned to the
/// minimum and maximum of each pixel column, so no outlier disappears.
std::string PlotLatencyOverTime(const LatencySeries& series);

/// Distribution of latencies; marks p50, p90 and p99. What lies beyond the 99.5th percentile is
/// counted in the title of the axis, not drawn.
std::string PlotLatencyHistogram(const std::vector<LatencySeries>& series);

/// CPU of each core over time, in percent.
std::string PlotCpu(const MeasurementLog& log);
/// System memory and the process's resident memory over time.
std::string PlotMemory(const MeasurementLog& log);

/// Rows: truth, columns: prediction; colour by the share of the row. Cell counts up to 20 classes,
/// names up to 60.
std::string PlotConfusionMatrix(const ClassificationEvaluation& evaluation);

}  // namespace kenning
