// SPDX-License-Identifier: Apache-2.0
// The report block of scenarios: its name and parameters. There is no factory.
#include "kenning/base/check.h"
#include "kenning/registry/registry.h"

namespace kenning {
namespace {

constexpr const char* kNoEffect = "Accepted for Kenning's scenarios; has no effect.";

ParamSpec Optional(std::string name, ParamType type, std::string description) {
  return {.name = std::move(name),
          .type = type,
          .description = std::move(description),
          .default_value = ParamValue{},
          .nullable = true};
}

ParamSpec Ignored(std::string name, ParamType type) {
  return Optional(std::move(name), type, kNoEffect);
}

ParamSpec IgnoredFlag(std::string name) {
  return {.name = std::move(name),
          .type = ParamType::kBool,
          .description = kNoEffect,
          .default_value = ParamValue{false}};
}

ParamSchema MarkdownReportSchema() {
  ParamSpec types =
      Optional("report_types", ParamType::kStringList, "Sections; by default what the data allow.");
  types.allowed = {"performance", "classification"};
  // Optimizers have one of the same name, and its flag is theirs.
  ParamSpec compiled = Ignored("compiled_model_path", ParamType::kPath);
  compiled.flag = "--report-compiled-model-path";
  return {{
      Optional("measurements", ParamType::kStringList,
               "Measurement files to report; --measurements wins."),
      Optional("report_name", ParamType::kString, "Title of the report."),
      Optional("report_path", ParamType::kPath, "The report (Markdown)."),
      std::move(types),
      Optional("root_dir", ParamType::kPath, "Image links are relative to this folder."),
      Optional("img_dir", ParamType::kPath, "Where the plots go; by default beside the report."),
      Optional("model_names", ParamType::kString, "Name shown for the run."),
      Ignored("automl_stats", ParamType::kPath),
      IgnoredFlag("to_html"),
      IgnoredFlag("only_png_images"),
      IgnoredFlag("comparison_only"),
      IgnoredFlag("skip_unoptimized_model"),
      IgnoredFlag("smaller_header"),
      IgnoredFlag("save_summary"),
      IgnoredFlag("skip_general_information"),
      Ignored("main_quality_metric", ParamType::kString),
      std::move(compiled),
      Ignored("zephyr_trace_file_ctf", ParamType::kPath),
      Ignored("zephyr_trace_file_tef", ParamType::kPath),
      Ignored("zephyr_base", ParamType::kPath),
      Ignored("zephyr_build_path", ParamType::kPath),
  }};
}

}  // namespace

void RegisterReports(Registry& registry) {
  BlockInfo report;
  report.category = BlockCategory::kReport;
  report.name = "MarkdownReport";
  report.aliases = {"kenning.report.markdown_report.MarkdownReport"};
  report.summary = "A Markdown report with plots; options of the command win over it.";
  report.schema = MarkdownReportSchema();
  KENNING_CHECK(registry.Add(std::move(report)).has_value());
}

}  // namespace kenning
