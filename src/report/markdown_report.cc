// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "report/report.h"
#include "report/sections.h"
#include "report/text.h"

namespace kenning {
namespace {

/// Collects plots; everything is written at the end, so that a failed report leaves nothing behind.
class Images {
 public:
  Images(const ReportOptions& options, std::string prefix) : prefix_(std::move(prefix)) {
    folder_ = options.image_dir;
    if (folder_.empty()) {
      folder_ = options.report_path.parent_path() / (options.report_path.stem().string() + "_img");
    }
    root_ = options.root_dir.empty() ? options.report_path.parent_path() : options.root_dir;
    if (root_.empty()) root_ = ".";
  }

  std::string Add(const std::string& name, std::string svg) {
    const std::filesystem::path path = folder_ / fmt::format("{}_{}.svg", prefix_, name);
    std::error_code error;
    std::filesystem::path link = std::filesystem::proximate(path, root_, error);
    if (error) link = path;
    files_.emplace_back(path, std::move(svg));
    std::string alt = name;
    std::ranges::replace(alt, '_', ' ');
    return fmt::format("![{}](<{}>)", alt, link.generic_string());
  }

  Result<std::vector<std::filesystem::path>> Write() const {
    std::vector<std::filesystem::path> written;
    for (const auto& [path, svg] : files_) {
      KENNING_RETURN_IF_ERROR(WriteFileAtomically(path, svg));
      written.push_back(path);
    }
    return written;
  }

 private:
  std::string prefix_;
  std::filesystem::path folder_;
  std::filesystem::path root_;
  std::vector<std::pair<std::filesystem::path, std::string>> files_;
};

std::string RunText(const RunRecord& run, const ReportTypes& types, const ImageSink& image) {
  std::string text = PartialBanner(run) + GeneralSection(run) + TargetSection(run);
  if (types.performance) text += LoadSection(run) + PerformanceSection(run, image);
  if (types.classification) text += ClassificationSection(run, image);
  return text;
}

std::string TitleOf(std::span<const RunRecord> runs, const ReportOptions& options) {
  if (!options.title.empty()) return options.title;
  std::vector<std::string> names;
  for (const RunRecord& run : runs) names.push_back(run.name);
  return (runs.size() > 1 ? "Comparison of " : "Report of ") + Join(names);
}

}  // namespace

Result<ReportTypes> ParseReportTypes(std::span<const std::string> names) {
  if (names.empty()) return ReportTypes{};
  ReportTypes types{false, false};
  for (const std::string& name : names) {
    if (name == "performance") {
      types.performance = true;
    } else if (name == "classification") {
      types.classification = true;
    } else {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("report type \"{}\" is not available; there are performance, "
                              "classification",
                              name));
    }
  }
  return types;
}

Result<std::vector<std::filesystem::path>> RenderMarkdownReport(std::span<const RunRecord> runs,
                                                                const ReportOptions& options) {
  if (runs.empty()) return Fail(ErrorCode::kInvalidArgument, "a report needs at least one run");
  KENNING_ASSIGN_OR_RETURN(ReportTypes types, ParseReportTypes(options.report_types));
  const auto evaluated = [](const RunRecord& run) { return run.evaluation.has_value(); };
  if (options.report_types.empty() && std::ranges::none_of(runs, evaluated)) {
    types.classification = false;
  }
  const std::string title = TitleOf(runs, options);
  Images images(options, Slug(options.title.empty() ? options.report_path.stem().string() : title));
  std::string text = fmt::format("# {}\n\n", EscapeMarkdown(title));
  if (runs.size() > 1) {
    text += ComparisonSection(runs, types, [&](const std::string& name, std::string svg) {
      return images.Add(name, std::move(svg));
    });
  }
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (runs.size() > 1) text += fmt::format("---\n\n# {}\n\n", EscapeMarkdown(runs[i].name));
    const std::string prefix = runs.size() > 1 ? fmt::format("{}_", i + 1) : "";
    text += RunText(runs[i], types, [&](const std::string& name, std::string svg) {
      return images.Add(prefix + name, std::move(svg));
    });
  }
  KENNING_ASSIGN_OR_RETURN(std::vector<std::filesystem::path> written, images.Write());
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(options.report_path, text));
  written.insert(written.begin(), options.report_path);
  return written;
}

}  // namespace kenning
