// SPDX-License-Identifier: Apache-2.0
/// \file
/// RunRecords -> Markdown with plots. Recomputes nothing that evaluate and measure own.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/run_record.h"

namespace kenning {

/// What a report is about.
struct ReportTypes {
  bool performance = true;
  bool classification = true;
};
/// From "performance", "classification"; no name at all means both. \return kInvalidScenario.
Result<ReportTypes> ParseReportTypes(std::span<const std::string> names);

struct ReportOptions {
  std::filesystem::path report_path;  ///< report.md
  std::filesystem::path image_dir;    ///< Empty: "<stem>_img" beside the report.
  std::filesystem::path
      root_dir;       ///< Image links are relative to this; empty: the report's folder.
  std::string title;  ///< Empty: from the runs' names.
  std::vector<std::string>
      report_types;  ///< "performance", "classification"; empty: what the data allow.
};

/// Renders one run, or a comparison whose baseline is the first. \return the files written.
Result<std::vector<std::filesystem::path>> RenderMarkdownReport(std::span<const RunRecord> runs,
                                                                const ReportOptions& options);

/// One run in a few lines of plain text, for a terminal.
std::string RunSummary(const RunRecord& run, const ReportTypes& types = {});

/// The comparison as plain text for a terminal: speed boost, quality, size reduction, each with its
/// uncertainty, and "not resolved" where the difference is within noise.
std::string ComparisonTable(std::span<const RunRecord> runs, const ReportTypes& types = {});

}  // namespace kenning
