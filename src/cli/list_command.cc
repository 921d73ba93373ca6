// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <array>

#include "cli/commands.h"
#include "cli/simple_options.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

struct Heading {
  const char* word;
  BlockCategory category;
};
constexpr std::array<Heading, 8> kHeadings = {{
    {"datasets", BlockCategory::kDataset},
    {"modelwrappers", BlockCategory::kModelWrapper},
    {"optimizers", BlockCategory::kOptimizer},
    {"runtimes", BlockCategory::kRuntime},
    {"protocols", BlockCategory::kProtocol},
    {"platforms", BlockCategory::kPlatform},
    {"runtimebuilders", BlockCategory::kRuntimeBuilder},
    {"reports", BlockCategory::kReport},
}};

void PrintBlocks(const Registry& registry, const Heading& heading) {
  const auto blocks = registry.List(heading.category);
  if (blocks.empty()) return;
  fmt::print("{}:\n", heading.word);
  for (const BlockInfo* block : blocks) {
    const Availability here = block->probe ? block->probe() : Availability{};
    fmt::print("  {:<34} {}{}\n", block->name, here.available ? "" : "[unavailable] ",
               block->summary);
    if (!here.available) fmt::print("  {:<34} {}\n", "", here.reason);
  }
}

void PrintKnown(const Registry& registry, const Heading& heading) {
  bool any = false;
  for (const KnownClass& known : registry.known()) {
    if (known.category != heading.category) continue;
    if (!any) fmt::print("{} known to Kenning, not available here:\n", heading.word);
    any = true;
    fmt::print("  {}\n    because {}\n", known.dotted_path, known.reason);
  }
}

}  // namespace

std::vector<std::string> ListCategories() {
  std::vector<std::string> words;
  for (const Heading& heading : kHeadings) words.emplace_back(heading.word);
  return words;
}

Result<int> ListCommand(const Words& words, CommandContext& context) {
  CLI::App app("The blocks of this build, and whether they can run here.", "kenning list");
  std::vector<std::string> wanted;
  const std::vector<std::string> names = ListCategories();
  bool all = false;
  app.add_option("category", wanted, "Only these: " + Join(names))->check(CLI::IsMember(names));
  app.add_flag("-a,--all", all, "Also the classes of Kenning that are not available here");
  app.footer("Examples:\n  kenning list\n  kenning list runtimes optimizers --all");
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(app, words));
  if (ended) return *ended;
  for (const Heading& heading : kHeadings) {
    if (!wanted.empty() && std::ranges::find(wanted, heading.word) == wanted.end()) continue;
    PrintBlocks(context.registry, heading);
    if (all) PrintKnown(context.registry, heading);
  }
  return 0;
}

}  // namespace kenning
