// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/simple_options.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

void PrintParam(const ParamSpec& spec) {
  std::string facts(ParamTypeName(spec.type));
  if (spec.required) facts += ", required";
  if (spec.default_value) facts += ", default " + ToString(*spec.default_value);
  if (spec.nullable) facts += ", or null";
  if (spec.minimum && spec.maximum) {
    facts += fmt::format(", {:g} to {:g}", *spec.minimum, *spec.maximum);
  } else if (spec.minimum) {
    facts += fmt::format(", at least {:g}", *spec.minimum);
  } else if (spec.maximum) {
    facts += fmt::format(", at most {:g}", *spec.maximum);
  }
  fmt::print("  {} ({})\n    {}\n    {}\n", spec.name, FlagFor(spec), facts, spec.description);
  if (!spec.allowed.empty()) fmt::print("    one of: {}\n", Join(spec.allowed));
  if (!spec.aliases.empty()) fmt::print("    also spelled: {}\n", Join(spec.aliases));
}

void PrintBlock(const BlockInfo& block) {
  // The scenario's key of a list is a plural.
  const std::string_view category =
      block.category == BlockCategory::kOptimizer ? "optimizer" : CategoryName(block.category);
  fmt::print("{} ({})\n  {}\n", block.name, category, block.summary);
  if (!block.aliases.empty()) fmt::print("also named: {}\n", Join(block.aliases));
  if (!block.engine.empty()) fmt::print("engine: {}\n", block.engine);
  if (!block.accepts.empty()) fmt::print("takes: {}\n", Join(block.accepts));
  if (!block.produces.empty()) fmt::print("gives: {}\n", Join(block.produces));
  const Availability here = block.probe ? block.probe() : Availability{};
  fmt::print("available here: {}\n", here.available ? "yes" : "no: " + here.reason);
  if (!block.schema.params.empty()) fmt::print("parameters:\n");
  for (const ParamSpec& spec : block.schema.params) PrintParam(spec);
}

}  // namespace

Result<int> InfoCommand(const Words& words, CommandContext& context) {
  CLI::App app("One block: what it does, and its parameters.", "kenning info");
  std::string name;
  app.add_option("class", name, "A class: short name or dotted path")->required();
  app.footer(
      "Examples:\n  kenning info ONNXRuntime\n"
      "  kenning info kenning.datasets.magic_wand_dataset.MagicWandDataset");
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(app, words));
  if (ended) return *ended;
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* const block, context.registry.FindAny(name));
  PrintBlock(*block);
  return 0;
}

}  // namespace kenning
