// SPDX-License-Identifier: Apache-2.0
// The script of Kenning's first versions that took classes instead of a scenario.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/commands.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr std::string_view kHelp =
    "Optimises a model and runs it on the test samples, as Kenning's script of this name did, from "
    "classes\nin place of a scenario.\n\n"
    "Usage: kenning inference_tester MODELWRAPPER COMPILER RUNTIME DATASET OUT.json [OPTION…]\n\n"
    "  MODELWRAPPER  What wraps the model\n"
    "  COMPILER      What is done to the model; an optimizer\n"
    "  RUNTIME       What runs the model\n"
    "  DATASET       Where the samples come from\n"
    "  OUT.json      Where the measurements go\n\n"
    "Parameters of these classes are options, and every option of \"kenning optimize test\" may "
    "follow;\nwith the five and --help they are listed. --protocol-cls CLASS runs the model on a "
    "target; without it\nthe model runs on this machine.\nIt is the same as:\n"
    "  kenning optimize test --modelwrapper-cls MODELWRAPPER --compiler-cls COMPILER \\\n"
    "      --runtime-cls RUNTIME --dataset-cls DATASET --measurements OUT.json\n\n"
    "Example:\n"
    "  kenning inference_tester ONNXClassifier ONNXCompiler ONNXRuntime FashionMNISTDataset "
    "out.json "
    "\\\n      --protocol-cls NetworkProtocol --host 192.168.1.20 --model-path model.onnx \\\n"
    "      --compiled-model-path build/model.onnx\n";

struct Place {
  const char* name;
  const char* flag;
};
constexpr std::array<Place, 5> kPlaces = {{{"MODELWRAPPER", "--modelwrapper-cls"},
                                           {"COMPILER", "--compiler-cls"},
                                           {"RUNTIME", "--runtime-cls"},
                                           {"DATASET", "--dataset-cls"},
                                           {"OUT.json", "--measurements"}}};

}  // namespace

Words InferenceTesterWords(const Words& words) {
  Words all;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i < kPlaces.size()) all.emplace_back(kPlaces[i].flag);
    all.push_back(words[i]);
  }
  return all;
}

Result<int> InferenceTesterCommand(const Words& words, CommandContext& context) {
  const auto option =
      std::ranges::find_if(words, [](const std::string& word) { return word.starts_with('-'); });
  const auto given = static_cast<std::size_t>(option - words.begin());
  if (given < kPlaces.size()) {
    const bool help = std::ranges::any_of(
        words, [](const std::string& word) { return word == "-h" || word == "--help"; });
    if (help) {
      fmt::print("{}", kHelp);
      return 0;
    }
    Words missing;
    for (std::size_t i = given; i < kPlaces.size(); ++i) missing.emplace_back(kPlaces[i].name);
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("inference_tester takes four classes and a file first; {} {} missing; "
                            "see --help",
                            Join(missing), missing.size() == 1 ? "is" : "are"));
  }
  return PipelineCommand({"optimize", "test"}, InferenceTesterWords(words), context);
}

}  // namespace kenning
