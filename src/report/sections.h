// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parts of a Markdown report. Internal to this folder.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kenning/core/run_record.h"
#include "report/report.h"
#include "report/svg_plots.h"

namespace kenning {

/// Stores a plot under a short name ("latency") and returns the link to put into the report.
using ImageSink = std::function<std::string(const std::string& name, std::string svg)>;

/// Durations of the measured inferences.
LatencySeries InferenceSeries(const RunRecord& run);

std::string PartialBanner(const RunRecord& run);
std::string GeneralSection(const RunRecord& run);
/// The target's facts and both views of an inference; empty for local runs.
std::string TargetSection(const RunRecord& run);
/// Load, memory, temperature, frequency and energy during the run; reasons to distrust it.
std::string MachineText(const RunRecord& run);
/// The readings of the machine that the model ran on, on the host's clock.
MeasurementLog SystemOfTheModel(const RunRecord& run);
/// What a load pattern showed; empty for other runs.
std::string LoadSection(const RunRecord& run);
std::string PerformanceSection(const RunRecord& run, const ImageSink& image);
std::string ClassificationSection(const RunRecord& run, const ImageSink& image);
/// Comparison with the first run as the baseline.
std::string ComparisonSection(std::span<const RunRecord> runs, const ReportTypes& types,
                              const ImageSink& image);

/// One row of the comparison, as text without markup.
struct ComparisonRow {
  std::string name;
  std::string speed;
  std::string accuracy;
  std::string size;
};
std::vector<ComparisonRow> CompareRuns(std::span<const RunRecord> runs);
/// Reasons why the runs do not compare like with like.
std::vector<std::string> ComparabilityWarnings(std::span<const RunRecord> runs);

}  // namespace kenning
