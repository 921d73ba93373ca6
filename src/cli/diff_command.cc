// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "app/make_blocks.h"
#include "app/model_diff.h"
#include "cli/commands.h"
#include "cli/console_progress.h"
#include "cli/pipeline_options.h"
#include "cli/simple_options.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr int kGateMissed = 5;
constexpr std::size_t kRandomSamples = 16;

struct SideOptions {
  std::string uri;
  std::string runtime;
  std::string format;
  std::vector<std::string> settings;
};

class DiffOptionsParser {
 public:
  DiffOptionsParser() : app_("Runs two models on the same samples and shows where they part.") {
    app_.name("kenning diff");
    app_.set_help_flag("-h,--help", "This text");
    AddSide("A", "a", a_);
    AddSide("B", "b", b_);
    AddSamples();
    AddOutput();
    app_.allow_extras();
    app_.footer(
        "Samples are the test samples of --cfg's or --dataset-cls's dataset, preprocessed by its "
        "model wrapper\n(without one: Classifier on A); else those of --inputs; else noise. "
        "Parameters of the dataset and the\nwrapper are options, too, as for \"kenning test\".\n\n"
        "Examples:\n"
        "  kenning diff fp32.onnx int8.onnx\n"
        "  kenning diff fp32.onnx int8.onnx --cfg scenario.json --num-samples 500 --json "
        "diff.json\n"
        "  kenning diff model.onnx model.tflite --dataset-cls ImageFolderDataset --dataset-root "
        "images\n"
        "  kenning diff model.onnx model.onnx --runtime-b OpenVINORuntime --inputs x.npy\n"
        "  kenning diff a.onnx b.onnx --random 64 --seed 1 --max-error 0.01   # exit 5 if above");
    app_.get_formatter()->column_width(30);
  }

  CLI::App& app() { return app_; }

  LoadRequest Request(const SideOptions& side) const {
    LoadRequest request{.uri = side.uri, .format = side.format, .runtime = side.runtime};
    for (const std::string& setting : side.settings) {
      const std::size_t at = setting.find('=');
      request.params[setting.substr(0, at)] = at == std::string::npos ? "" : setting.substr(at + 1);
    }
    return request;
  }

  /// The words that choose dataset and wrapper, as "kenning test" takes them; empty: no dataset.
  Words DatasetWords(const Registry& registry) const {
    Words words;
    if (!cfg_.empty()) words = {"--cfg", cfg_};
    if (!dataset_.empty()) words.insert(words.end(), {"--dataset-cls", dataset_});
    if (words.empty()) return {};
    if (!wrapper_.empty()) {
      words.insert(words.end(), {"--modelwrapper-cls", wrapper_});
    } else if (cfg_.empty() && registry.Find(BlockCategory::kModelWrapper, "Classifier")) {
      words.insert(words.end(), {"--modelwrapper-cls", "Classifier", "--set",
                                 "model_wrapper.model_path=" + a_.uri});
    }
    for (const std::string& set : sets_) words.insert(words.end(), {"--set", set});
    const std::vector<std::string> rest = app_.remaining();
    words.insert(words.end(), rest.begin(), rest.end());
    return words;
  }

  Result<> Check() const {
    const std::vector<std::string> rest = app_.remaining();
    const bool dataset = !cfg_.empty() || !dataset_.empty();
    if (!rest.empty() && !dataset) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("\"{}\" is not expected here: options of a dataset need --cfg or "
                              "--dataset-cls; see --help",
                              rest[0]));
    }
    if ((dataset ? 1 : 0) + (random_ ? 1 : 0) + (inputs_.empty() ? 0 : 1) > 1) {
      return Fail(ErrorCode::kInvalidScenario,
                  "samples come from one of: a dataset (--cfg, --dataset-cls), --inputs, --random");
    }
    return {};
  }

  SideOptions a_;
  SideOptions b_;
  std::string cfg_;
  std::string dataset_;
  std::string wrapper_;
  std::vector<std::string> sets_;
  std::vector<std::string> inputs_;
  std::optional<std::size_t> random_;
  std::uint64_t seed_ = 0;
  std::size_t num_samples_ = 100;
  std::optional<double> max_error_;
  std::string json_;
  DiffOptions diff_;

 private:
  void AddSide(const std::string& name, const std::string& letter, SideOptions& side) {
    app_.add_option(name, side.uri, "A model: path or URI")->required()->type_name("");
    app_.add_option("--runtime-" + letter, side.runtime,
                    "What runs " + name + "; by default the first that takes its format")
        ->type_name("CLASS");
    app_.add_option("--format-" + letter, side.format,
                    "Format of " + name + "; by default by its name")
        ->type_name("NAME");
    app_.add_option("--set-" + letter, side.settings,
                    "A parameter of the runtime of " + name + "; may be repeated")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->take_all();
  }

  void AddSamples() {
    app_.add_option("-c,--cfg,--json-cfg", cfg_, "A scenario: its dataset and model wrapper")
        ->type_name("FILE")
        ->group("Samples");
    app_.add_option("--dataset-cls", dataset_, "The samples")->type_name("CLASS")->group("Samples");
    app_.add_option("--modelwrapper-cls", wrapper_, "What preprocesses the samples")
        ->type_name("CLASS")
        ->group("Samples");
    app_.add_option("--set", sets_, "Replaces one value of the scenario; may be repeated")
        ->type_name("KEY=VALUE")
        ->expected(1)
        ->take_all()
        ->group("Samples");
    app_.add_option("--inputs", inputs_, "NumPy files, one for each input of A")
        ->type_name("FILE.npy")
        ->group("Samples");
    app_.add_option("--random", random_,
                    fmt::format("So many samples of noise; by default {}", kRandomSamples))
        ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 24).description(""))
        ->type_name("N")
        ->group("Samples");
    app_.add_option("--seed", seed_, "Of the noise")
        ->type_name("N")
        ->capture_default_str()
        ->group("Samples");
    app_.add_option("--num-samples", num_samples_, "At most so many samples of a dataset or file")
        ->check(CLI::Range(std::size_t{1}, std::size_t{1} << 32).description(""))
        ->type_name("N")
        ->capture_default_str()
        ->group("Samples");
  }

  void AddOutput() {
    app_.add_option("--layer-samples", diff_.layer_samples,
                    "Samples for the tensors inside; 0 leaves them out")
        ->type_name("N")
        ->capture_default_str()
        ->group("Output");
    app_.add_option("--threshold", diff_.threshold,
                    "Relative error from which a layer counts as diverged")
        ->check(CLI::NonNegativeNumber.description(""))
        ->type_name("X")
        ->capture_default_str()
        ->group("Output");
    app_.add_option("--worst", diff_.worst_samples, "So many of the worst samples")
        ->type_name("N")
        ->capture_default_str()
        ->group("Output");
    app_.add_option("--max-error", max_error_,
                    "Exit with 5 where an output's largest absolute error is above")
        ->type_name("X")
        ->group("Output");
    app_.add_option("--json", json_, "The same facts, and all layers, as JSON")
        ->type_name("FILE")
        ->group("Output");
  }

  CLI::App app_;
};

Result<std::unique_ptr<SampleSource>> FromScenario(const Words& words, std::size_t limit,
                                                   AppContext& context) {
  KENNING_ASSIGN_OR_RETURN(const PipelineOptions options,
                           ParsePipelineOptions({"test"}, words, context.registry));
  KENNING_ASSIGN_OR_RETURN(Scenario scenario,
                           options.cfg.empty()
                               ? ParseScenario("{}", "", context.registry, options.overrides)
                               : LoadScenario(options.cfg, context.registry, options.overrides));
  if (!scenario.dataset || !scenario.model_wrapper) {
    return Fail(ErrorCode::kInvalidScenario,
                "samples need a dataset and a model wrapper: name them in the scenario or with "
                "--dataset-cls and --modelwrapper-cls");
  }
  Plan plan;
  plan.scenario = std::move(scenario);
  KENNING_ASSIGN_OR_RETURN(Blocks blocks, MakeBlocks(plan, context));
  return DatasetSamples(std::move(blocks), limit);
}

Result<std::unique_ptr<SampleSource>> ChooseSamples(const DiffOptionsParser& options,
                                                    const LoadedModel& a, const LoadedModel& b,
                                                    AppContext& context) {
  const Words words = options.DatasetWords(context.registry);
  if (!words.empty()) return FromScenario(words, options.num_samples_, context);
  if (!options.inputs_.empty()) {
    return NumpySamples({options.inputs_.begin(), options.inputs_.end()}, JoinedInputs(a),
                        options.num_samples_);
  }
  return RandomSamples(JoinedInputs(a), JoinedInputs(b), options.random_.value_or(kRandomSamples),
                       options.seed_);
}

}  // namespace

Result<int> DiffCommand(const Words& words, CommandContext& context) {
  DiffOptionsParser options;
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(options.app(), words));
  if (ended) return *ended;
  KENNING_RETURN_IF_ERROR(options.Check());
  ConsoleProgress progress = ConsoleProgress::ForStandardError();
  AppContext app{context.registry, progress, context.cancel};
  KENNING_ASSIGN_OR_RETURN(const LoadedModel a,
                           LoadModelInRuntime(options.Request(options.a_), app));
  KENNING_ASSIGN_OR_RETURN(const LoadedModel b,
                           LoadModelInRuntime(options.Request(options.b_), app));
  KENNING_ASSIGN_OR_RETURN(const auto samples, ChooseSamples(options, a, b, app));
  KENNING_ASSIGN_OR_RETURN(const ModelDiff diff, CompareModels(a, b, *samples, options.diff_, app));
  fmt::print("{}", DescribeDiff(diff));
  if (!options.json_.empty()) {
    KENNING_RETURN_IF_ERROR(WriteFileAtomically(options.json_, DiffToJson(diff)));
  }
  if (options.max_error_ && diff.max_error() > *options.max_error_) {
    LogError("the largest error of an output is {:.6g}, above --max-error {:g}", diff.max_error(),
             *options.max_error_);
    return kGateMissed;
  }
  return 0;
}

std::vector<std::string> DiffFlags() {
  DiffOptionsParser options;
  return LongFlags(options.app());
}

}  // namespace kenning
