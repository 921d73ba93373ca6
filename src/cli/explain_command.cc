// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "app/explain.h"
#include "cli/commands.h"
#include "cli/console_progress.h"
#include "cli/simple_options.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

class ExplainOptionsParser {
 public:
  ExplainOptionsParser() : app_("Why a model is as fast as it is, and what would make it faster.") {
    app_.name("kenning explain");
    app_.set_help_flag("-h,--help", "This text");
    app_.add_option("ARTIFACT", options_.model.uri, "A model: path or URI")->type_name("");
    app_.add_option("--baseline", baseline_, "The same model in float32, for the gain")
        ->type_name("MODEL");
    app_.add_flag("--roofline", roofline_,
                  "Only what this machine and the model's file allow; runs no model");
    app_.add_option("--runtime", options_.model.runtime,
                    "What runs the model; by default the first that takes its format")
        ->type_name("CLASS");
    app_.add_option("--baseline-runtime", baseline_request_.runtime, "The same for the baseline")
        ->type_name("CLASS");
    app_.add_option("--format", options_.model.format,
                    "Format of the model; by default by its name")
        ->type_name("NAME");
    app_.add_option("--set", settings_, "A parameter of the runtime; may be repeated")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->take_all();
    app_.add_option("--num-threads", options_.num_threads, "Of the engine, and of the roofline")
        ->check(CLI::Range(1, 1024).description(""))
        ->type_name("N")
        ->capture_default_str();
    app_.add_option("--seconds", options_.seconds, "Of measuring, each model")
        ->check(CLI::Range(0.1, 3600.0).description(""))
        ->type_name("S")
        ->capture_default_str();
    app_.add_option("--json", json_,
                    "The same facts, and all operators, as JSON; - for standard "
                    "output, and nothing else there")
        ->type_name("FILE");
    app_.footer(
        "The model runs on noise, first as it is, then under the engine's profiler. The roofline "
        "is "
        "measured\nnow: multiply-adds a second in float32 and int8, bytes a second from caches and "
        "memory.\n\n"
        "Examples:\n"
        "  kenning explain int8.onnx --baseline fp32.onnx\n"
        "  kenning explain model.tflite --num-threads 2 --json explain.json\n"
        "  kenning explain --roofline                  # the machine alone\n"
        "  kenning explain --roofline model.tflite --json -");
    app_.get_formatter()->column_width(30);
  }

  CLI::App& app() { return app_; }

  Result<> Collect() {
    if (options_.model.uri.empty() && !roofline_) {
      return Fail(ErrorCode::kInvalidScenario, "name a model, or give --roofline; see --help");
    }
    if (roofline_ && !baseline_.empty()) {
      return Fail(ErrorCode::kInvalidScenario, "--roofline runs nothing: it takes no --baseline");
    }
    for (const std::string& setting : settings_) {
      const std::size_t at = setting.find('=');
      options_.model.params[setting.substr(0, at)] =
          at == std::string::npos ? "" : setting.substr(at + 1);
    }
    if (!baseline_.empty()) {
      baseline_request_.uri = baseline_;
      options_.baseline = baseline_request_;
    }
    return {};
  }

  ExplainOptions options_;
  bool roofline_ = false;
  std::string json_;

 private:
  CLI::App app_;
  std::string baseline_;
  LoadRequest baseline_request_;
  std::vector<std::string> settings_;
};

}  // namespace

Result<int> ExplainCommand(const Words& words, CommandContext& context) {
  ExplainOptionsParser parser;
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(parser.app(), words));
  if (ended) return *ended;
  KENNING_RETURN_IF_ERROR(parser.Collect());
  ConsoleProgress progress = ConsoleProgress::ForStandardError();
  AppContext app{context.registry, progress, context.cancel};
  KENNING_ASSIGN_OR_RETURN(
      const Explanation explanation,
      parser.roofline_ ? ExplainRoofline(parser.options_.model, parser.options_.num_threads, app)
                       : ExplainModel(parser.options_, app));
  if (parser.json_ == "-") {
    fmt::print("{}", ExplanationToJson(explanation));
    return 0;
  }
  fmt::print("{}",
             parser.roofline_ ? DescribeRoofline(explanation) : DescribeExplanation(explanation));
  if (!parser.json_.empty()) {
    KENNING_RETURN_IF_ERROR(WriteFileAtomically(parser.json_, ExplanationToJson(explanation)));
  }
  return 0;
}

std::vector<std::string> ExplainFlags() {
  ExplainOptionsParser parser;
  return LongFlags(parser.app());
}

}  // namespace kenning
