// SPDX-License-Identifier: Apache-2.0
#include "cli/pipeline_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include "cli/load_options.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

// Those without a description are second spellings, which the help does not show.
constexpr std::array<ClassFlag, 9> kClassFlags = {{
    {"--modelwrapper-cls", "model_wrapper.type", BlockCategory::kModelWrapper,
     "What wraps the model"},
    {"--model-wrapper-cls", "model_wrapper.type", BlockCategory::kModelWrapper, ""},
    {"--dataset-cls", "dataset.type", BlockCategory::kDataset, "Where the samples come from"},
    {"--optimizer-cls", "optimizers", BlockCategory::kOptimizer,
     "What is done to the model, in this order"},
    {"--compiler-cls", "optimizers", BlockCategory::kOptimizer, ""},
    {"--runtime-cls", "runtime.type", BlockCategory::kRuntime,
     "What runs the model; by default the first that takes it"},
    {"--platform-cls", "platform.type", BlockCategory::kPlatform,
     "The device under test; by default this machine"},
    {"--protocol-cls", "protocol.type", BlockCategory::kProtocol,
     "How the host talks to the target"},
    {"--runtime-builder-cls", "runtime_builder.type", BlockCategory::kRuntimeBuilder,
     "What builds the target's runtime"},
}};

bool Contains(const std::vector<std::string>& list, std::string_view item) {
  return std::ranges::find(list, item) != list.end();
}

/// Values of one option found before the real parse: "--cfg x", "--cfg=x", "--compiler-cls A B".
std::vector<std::string> ScanFor(std::string_view flag, const std::vector<std::string>& words) {
  std::vector<std::string> values;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i].starts_with(std::string(flag) + "=")) {
      values.push_back(words[i].substr(flag.size() + 1));
    } else if (words[i] == flag) {
      while (i + 1 < words.size() && !words[i + 1].starts_with('-')) values.push_back(words[++i]);
    }
  }
  return values;
}

void AddClassOverrides(const ClassFlag& flag, const std::vector<std::string>& values,
                       std::vector<ScenarioOverride>& overrides) {
  if (std::string_view(flag.target) != "optimizers") {
    for (const std::string& value : values) overrides.push_back({flag.target, value});
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    overrides.push_back({fmt::format("optimizers[{}].type", i), values[i]});
  }
}

/// "key=value" of --set.
Result<ScenarioOverride> ParseSet(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("--set {}: KEY=VALUE is expected, for example runtime.num_threads=2", text));
  }
  return ScenarioOverride{text.substr(0, equals), text.substr(equals + 1)};
}

/// What the words say of classes, before their parameters can be known.
struct Choice {
  std::filesystem::path cfg;
  std::vector<ScenarioOverride> types;
  BlockChoices blocks;
};

Choice PeekChoice(const std::vector<std::string>& words, const Registry& registry) {
  Choice choice;
  for (const char* flag : {"--cfg", "--json-cfg", "-c"}) {
    for (const std::string& value : ScanFor(flag, words)) choice.cfg = value;
  }
  for (const ClassFlag& flag : kClassFlags) {
    AddClassOverrides(flag, ScanFor(flag.flag, words), choice.types);
  }
  for (const std::string& text : ScanFor("--set", words)) {
    if (auto set = ParseSet(text); set && set->target.ends_with(".type")) {
      choice.types.push_back(*std::move(set));
    }
  }
  choice.blocks = PeekBlocks(choice.cfg, registry, choice.types);
  return choice;
}

std::string Describe(const ParamSpec& spec) {
  std::string text = spec.description;
  if (!spec.allowed.empty()) text += fmt::format(" One of: {}.", Join(spec.allowed));
  if (spec.minimum && spec.maximum) {
    text += fmt::format(" {:g} to {:g}.", *spec.minimum, *spec.maximum);
  } else if (spec.minimum) {
    text += fmt::format(" At least {:g}.", *spec.minimum);
  } else if (spec.maximum) {
    text += fmt::format(" At most {:g}.", *spec.maximum);
  }
  if (spec.required) {
    text += " Required.";
  } else if (spec.default_value && !std::holds_alternative<std::monostate>(*spec.default_value)) {
    text += fmt::format(" Default: {}.", ToString(*spec.default_value));
  }
  return text;
}

bool IsList(ParamType type) {
  return type == ParamType::kStringList || type == ParamType::kIntList ||
         type == ParamType::kFloatList;
}

/// A flag without a value: true, or the empty text of a parameter that may be nothing ("--host").
bool MayStandAlone(const ParamSpec& spec) {
  return spec.type == ParamType::kBool || (spec.type == ParamType::kString && spec.nullable);
}

/// The CLI11 application with its targets. Kept in one place, as the library binds references.
class Parser {
 public:
  Parser(const std::vector<std::string>& steps, const Choice& choice, const Registry& registry)
      : steps_(steps), registry_(registry) {
    app_.name("kenning " + Join(steps, " "));
    app_.description(Summary());
    app_.set_help_flag();
    app_.add_flag("-h,--help", help_, "This text, with the parameters of the chosen classes");
    AddScenarioFile();
    if (Runs()) AddScenarioOptions();
    if (Contains(steps_, "test")) AddTestOptions();
    AddOutputOptions();
    if (Runs()) AddBlockOptions(choice.blocks);
    app_.allow_extras(Runs() && !choice.blocks.complete);
    app_.footer(Examples());
    app_.get_formatter()->column_width(36);
  }

  Result<PipelineOptions> Parse(std::vector<std::string> words) {
    std::ranges::reverse(words);  // As CLI11 takes them.
    try {
      app_.parse(std::move(words));
    } catch (const CLI::ExtrasError&) {
      return Unknown();
    } catch (const CLI::ParseError& error) {
      return Fail(ErrorCode::kInvalidScenario, fmt::format("{}; see --help", error.what()));
    }
    if (help_) {
      // They take several so that a second one gets a message of its own; the help shows one.
      for (CLI::Option* option : one_of_a_run_) option->expected(1);
      options_.help = app_.help();
      return options_;
    }
    KENNING_RETURN_IF_ERROR(Collect());
    return options_;
  }

  std::vector<std::string> Flags() const {
    std::vector<std::string> flags;
    for (const CLI::Option* option : app_.get_options()) {
      for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    }
    return flags;
  }

 private:
  bool Runs() const { return Contains(steps_, "optimize") || Contains(steps_, "test"); }

  std::string Summary() const {
    if (!Runs()) return "Renders measurements as Markdown with plots; compares several runs.";
    std::string text = "Runs a scenario:";
    if (Contains(steps_, "optimize")) text += " its optimizers,";
    if (Contains(steps_, "test")) text += " the model on the test samples,";
    if (Contains(steps_, "report")) text += " the report,";
    text.back() = '.';
    return text;
  }

  std::string Examples() const {
    if (!Runs()) {
      return "Examples:\n"
             "  kenning report --measurements fp32.json int8.json --report-path comparison.md\n"
             "  kenning report --measurements out.json --report-path out.md --report-types "
             "performance\n"
             "  kenning report --cfg scenario.json";
    }
    return "Every parameter of the chosen classes is an option, also where --cfg is given; an "
           "option wins.\n"
           "Where two blocks have the same one: --set optimizers[1].compiled_model_path=x.onnx\n\n"
           "Examples:\n"
           "  kenning " +
           Join(steps_, " ") +
           " --cfg scenario.json --measurements out.json\n"
           "  kenning test --cfg scenario.yaml --num-threads 2 --max-samples 1000 --dry-run\n"
           "  kenning test --modelwrapper-cls ONNXClassifier --model-path model.onnx \\\n"
           "      --dataset-cls ImageFolderDataset --dataset-root images --measurements out.json";
  }

  void AddScenarioFile() {
    app_.add_option("-c,--cfg,--json-cfg", cfg_,
                    Runs() ? "The scenario, JSON or YAML"
                           : "A scenario whose report block says what is not given here")
        ->type_name("FILE")
        ->group("Scenario");
  }

  void AddScenarioOptions() {
    for (const ClassFlag& flag : kClassFlags) {
      auto& values = class_values_.emplace_back(&flag, std::vector<std::string>{}).second;
      const bool list = std::string_view(flag.target) == "optimizers";
      const std::string_view description = flag.description;
      auto* option = app_.add_option(flag.flag, values, std::string(description));
      option->type_name("CLASS")->group(description.empty() ? "" : "Scenario");
      if (!list) option->expected(1);
    }
    app_.add_option("--set", sets_, "Replaces one value of the scenario; may be repeated")
        ->type_name("KEY=VALUE")
        ->group("Scenario");
    app_.add_flag("--dry-run", options_.dry_run, "Check the whole plan and print it; run nothing")
        ->group("Scenario");
    app_.add_flag("--install-missing", options_.install_missing,
                  "Install the toolchains that the scenario needs (see kenning toolchain)")
        ->group("Scenario");
  }

  void AddTestOptions() {
    app_.add_option("--warm-up", options_.warm_up,
                    "Inferences before the measured ones, kept apart; 0 to 1000000")
        ->check(CLI::Range(0, 1'000'000).description(""))
        ->type_name("N")
        ->capture_default_str()
        ->group("Test");
    app_.add_option("--max-samples", max_samples_, "Only the first so many test samples")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 32).description(""))
        ->type_name("N")
        ->group("Test");
    load_.AddTo(app_);
  }

  void AddOutputOptions() {
    auto* measurements =
        app_.add_option("-m,--measurements", measurements_,
                        Runs() ? "Where the measurements go (JSON)"
                               : "Measurements to report; the first is the baseline");
    measurements->type_name("FILE")->group("Output");
    auto* names =
        app_.add_option("--model-names,--name", options_.model_names,
                        Runs() ? "Name shown for the run; by default that of the file"
                               : "Names shown for the runs; by default those of the files");
    names->type_name("NAME")->group("Output");
    if (Runs()) one_of_a_run_ = {measurements, names};
    if (Contains(steps_, "report")) {
      app_.add_option("--report-path", report_path_, "The report (Markdown)")
          ->type_name("FILE")
          ->group("Output");
      app_.add_option("--img-dir", image_dir_, "Where the plots go; by default beside the report")
          ->type_name("DIR")
          ->group("Output");
      app_.add_option("--root-dir", root_dir_, "Image links are relative to this folder")
          ->type_name("DIR")
          ->group("Output");
      app_.add_option("--report-name", options_.report_title, "Title of the report")
          ->type_name("TEXT")
          ->group("Output");
      app_.add_option("--report-types", options_.report_types,
                      "Sections: performance, classification; by default what the data allow")
          ->check(CLI::IsMember({"performance", "classification"}))
          ->type_name("TYPE")
          ->group("Output");
    }
    app_.add_option("--verbosity", verbosity_, "The least serious messages that are shown")
        ->check(CLI::IsMember({"DEBUG", "INFO", "WARNING", "ERROR"}, CLI::ignore_case))
        ->type_name("LEVEL")
        ->capture_default_str()
        ->group("Output");
  }

  void AddBlockOptions(const BlockChoices& choices) {
    std::set<std::string> taken;
    for (const std::string& flag : Flags()) taken.insert(flag);
    for (const BlockChoice& block : choices.blocks) {
      for (const ParamSpec& spec : block.info->schema.params) {
        const std::string flag = FlagFor(spec);
        // A flag of two blocks is one option; the scenario's reader says that it must be made
        // clear.
        if (!taken.insert(flag).second) continue;
        BlockValue& value = block_values_.emplace_back(BlockValue{flag, {}, nullptr});
        value.option = app_.add_option(flag, value.words, Describe(spec));
        value.option->group(fmt::format("{} ({})", block.key_path, block.info->name))
            ->type_name(std::string(ParamTypeName(spec.type)))
            ->expected(MayStandAlone(spec) ? 0 : 1, IsList(spec.type) ? 1 << 20 : 1);
      }
    }
  }

  /// "; it is a parameter of ONNXRuntime, which --runtime-cls ONNXRuntime chooses", where it is.
  std::string ClassesWith(const std::string& flag) const {
    std::vector<std::string> places;
    for (const ClassFlag& one : kClassFlags) {
      if (*one.description == '\0') continue;
      std::vector<std::string> names;
      for (const BlockInfo* block : registry_.List(one.category)) {
        const bool has = std::ranges::any_of(
            block->schema.params, [&flag](const ParamSpec& spec) { return FlagFor(spec) == flag; });
        if (has) names.push_back(block->name);
      }
      if (names.empty()) continue;
      places.push_back(names.size() == 1
                           ? fmt::format("{0}, which {1} {0} adds", names[0], one.flag)
                           : fmt::format("{}, which {} adds", Join(names), one.flag));
    }
    return places.empty() ? "" : "; it is a parameter of " + Join(places, ", or of ");
  }

  tl::unexpected<Error> Unknown() const {
    std::vector<std::string> lines;
    const std::vector<std::string> flags = Flags();
    bool after_flag = false;
    for (const std::string& word : app_.remaining()) {
      if (!word.starts_with('-')) {
        // The value of an option that is unknown itself is no second mistake.
        if (!after_flag) lines.push_back(fmt::format("\"{}\" is not expected here", word));
        continue;
      }
      after_flag = true;
      const std::string flag = word.substr(0, word.find('='));
      if (const std::string classes = Runs() ? ClassesWith(flag) : ""; !classes.empty()) {
        lines.push_back(fmt::format("there is no option {} here{}", flag, classes));
        continue;
      }
      const std::vector<std::string> nearest = NearestNames(flag, flags, 2);
      lines.push_back(fmt::format("there is no option {}{}", flag,
                                  nearest.empty()
                                      ? "; see --help"
                                      : fmt::format("; did you mean {}?", Join(nearest, " or "))));
    }
    return Fail(ErrorCode::kInvalidScenario, Join(lines, "\n"));
  }

  Result<> Collect() {
    options_.cfg = cfg_;
    options_.report_path = report_path_;
    options_.image_dir = image_dir_;
    options_.root_dir = root_dir_;
    options_.measurements.assign(measurements_.begin(), measurements_.end());
    if (max_samples_ > 0) options_.max_samples = static_cast<std::size_t>(max_samples_);
    for (const auto& [flag, values] : class_values_) {
      AddClassOverrides(*flag, values, options_.overrides);
    }
    for (const std::string& text : sets_) {
      KENNING_ASSIGN_OR_RETURN(ScenarioOverride one, ParseSet(text));
      options_.overrides.push_back(std::move(one));
    }
    for (const BlockValue& value : block_values_) {
      if (value.option->count() > 0)
        options_.overrides.push_back({value.flag, Join(value.words, ",")});
    }
    std::string level = verbosity_;
    std::ranges::transform(level, level.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    options_.verbosity = level == "DEBUG"   ? LogLevel::kDebug
                         : level == "INFO"  ? LogLevel::kInfo
                         : level == "ERROR" ? LogLevel::kError
                                            : LogLevel::kWarning;
    if (Contains(steps_, "test")) {
      KENNING_ASSIGN_OR_RETURN(options_.load, load_.Collect());
    }
    return CheckTogether();
  }

  Result<> CheckTogether() const {
    if (Runs() && options_.measurements.size() > 1) {
      return Fail(ErrorCode::kInvalidScenario,
                  "one file for --measurements is expected where a test runs; compare several with "
                  "\"kenning report --measurements A B\"");
    }
    if (!Runs() && options_.measurements.empty() && options_.cfg.empty()) {
      return Fail(
          ErrorCode::kInvalidScenario,
          "report needs --measurements FILE…, as \"kenning test\" writes them, or --cfg with "
          "a scenario whose report block names them");
    }
    if (Runs() && options_.cfg.empty() && options_.overrides.empty()) {
      return Fail(ErrorCode::kInvalidScenario,
                  "name a scenario with --cfg, or its classes with --modelwrapper-cls and "
                  "--dataset-cls; see --help");
    }
    if (Contains(steps_, "report") && Runs() && !Contains(steps_, "test")) {
      return Fail(ErrorCode::kInvalidScenario,
                  "optimize report: there is nothing to report without test in between");
    }
    if (Contains(steps_, "report") && options_.model_names.size() > 1 &&
        options_.model_names.size() != options_.measurements.size()) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} names (--model-names) for {} measurements",
                              options_.model_names.size(), options_.measurements.size()));
    }
    return {};
  }

  struct BlockValue {
    std::string flag;
    std::vector<std::string> words;
    CLI::Option* option;
  };

  LoadFlags load_;
  CLI::App app_;
  std::vector<std::string> steps_;
  const Registry& registry_;
  PipelineOptions options_;
  bool help_ = false;
  std::string cfg_;
  std::string report_path_;
  std::string image_dir_;
  std::string root_dir_;
  std::string verbosity_ = "WARNING";
  std::int64_t max_samples_ = 0;
  std::vector<std::string> measurements_;
  std::vector<std::string> sets_;
  std::deque<std::pair<const ClassFlag*, std::vector<std::string>>> class_values_;
  std::deque<BlockValue> block_values_;
  std::vector<CLI::Option*> one_of_a_run_;
};

}  // namespace

std::span<const ClassFlag> ClassFlags() { return kClassFlags; }

Result<PipelineOptions> ParsePipelineOptions(const std::vector<std::string>& steps,
                                             const std::vector<std::string>& words,
                                             const Registry& registry) {
  return Parser(steps, PeekChoice(words, registry), registry).Parse(words);
}

std::vector<std::string> PipelineFlags(const std::vector<std::string>& steps,
                                       const std::vector<std::string>& words,
                                       const Registry& registry) {
  return Parser(steps, PeekChoice(words, registry), registry).Flags();
}

}  // namespace kenning
