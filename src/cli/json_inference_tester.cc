// SPDX-License-Identifier: Apache-2.0
// The script of Kenning's first versions, which scenarios and tutorials still call.
#include <fmt/format.h>

#include "cli/commands.h"
#include "scenario/scenario.h"

namespace kenning {
namespace {

constexpr std::string_view kHelp =
    "Runs a scenario as Kenning's script of this name did: its optimizers, where it has some, then "
    "the\nmodel on the test samples.\n\n"
    "Usage: kenning json_inference_tester CFG.json OUT.json [OPTION…]\n\n"
    "  CFG.json   The scenario\n"
    "  OUT.json   Where the measurements go\n\n"
    "Every option of \"kenning optimize test\" may follow; \"kenning optimize test --help\" lists "
    "them.\nIt is the same as: kenning optimize test --cfg CFG.json --measurements OUT.json\n\n"
    "Example:\n"
    "  kenning json_inference_tester native.json build/native-out.json --verbosity INFO\n";

bool HasOptimizers(const std::string& cfg, const Registry& registry) {
  for (const BlockChoice& block : PeekBlocks(cfg, registry).blocks) {
    if (block.key_path.starts_with("optimizers")) return true;
  }
  return false;
}

}  // namespace

Result<int> JsonInferenceTesterCommand(const Words& words, CommandContext& context) {
  for (const std::string& word : words) {
    if (word != "-h" && word != "--help") continue;
    fmt::print("{}", kHelp);
    return 0;
  }
  if (words.size() < 2 || words[0].starts_with('-') || words[1].starts_with('-')) {
    return Fail(ErrorCode::kInvalidScenario,
                "json_inference_tester takes two files first: the scenario, and where the "
                "measurements go; see --help");
  }
  std::vector<std::string> steps = {"test"};
  if (HasOptimizers(words[0], context.registry)) steps.insert(steps.begin(), "optimize");
  Words rest = {"--cfg", words[0], "--measurements", words[1]};
  rest.insert(rest.end(), words.begin() + 2, words.end());
  return PipelineCommand(steps, rest, context);
}

}  // namespace kenning
