// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr std::string_view kTraining =
    "training belongs to the framework that made the model; give kenning the trained model";
constexpr std::string_view kFlow = "pipelines of running applications are not part of this version";
constexpr std::string_view kSearch = "the search over optimizers is not part of this version";
constexpr std::string_view kEditor = "the visual editor is not part of this version";

constexpr auto kSubcommands = std::to_array<SubcommandInfo>({
    {"optimize", "Run the scenario's optimizers: a model in, a compiled model out", true},
    {"test", "Run the model on the test samples, and measure", true},
    {"report", "Render measurements as Markdown with plots; compare runs", true},
    {"diff", "Run two models on the same samples and show where they part"},
    {"explain", "Why a model is as fast as it is, and what would make it faster"},
    {"server", "Serve models that a host sends: the agent, as kenning-agent is"},
    {"devices", "Known targets: list, add, remove, show, probe"},
    {"doctor", "What works between this machine and a target, and how fast"},
    {"list", "The blocks of this build, and whether they can run here"},
    {"info", "One block: what it does, and its parameters"},
    {"schema", "The JSON Schema of scenario files, for editors"},
    {"completion", "A completion script for bash, zsh or fish"},
    {"cache", "Downloaded models and data sets: list, clear"},
    {"toolchain", "Frameworks that some optimizers work with: list, install, remove, check"},
    {"json_inference_tester", "CFG.json OUT.json: \"optimize test\" as Kenning spelled it first"},
    {"inference_server", "PROTOCOL RUNTIME: \"server\" as Kenning spelled it first"},
    {"json_inference_server", "CFG.json: \"server --cfg\" as Kenning spelled it first"},
    {"inference_tester", "Classes instead of a scenario, as Kenning's oldest script took them"},
    {"train", "", true, kTraining},
    {"flow", "", false, kFlow},
    {"fine-tune-optimizers", "", false, kSearch},
    {"visual-editor", "", false, kEditor},
    {"__complete", ""},
});

const SubcommandInfo* FindSubcommand(std::string_view name) {
  const auto it = std::ranges::find(kSubcommands, name, &SubcommandInfo::name);
  return it == kSubcommands.end() ? nullptr : &*it;
}

tl::unexpected<Error> Unknown(const std::string& word) {
  std::vector<std::string> names;
  for (const SubcommandInfo& one : kSubcommands) {
    if (!one.summary.empty()) names.emplace_back(one.name);
  }
  const std::vector<std::string> nearest = NearestNames(word, names, 2);
  return Fail(
      ErrorCode::kInvalidScenario,
      fmt::format("\"{}\" is no subcommand{}; there are: {}", word,
                  nearest.empty() ? "" : fmt::format("; did you mean {}?", Join(nearest, " or ")),
                  Join(names)));
}

/// A file where a subcommand could stand: which option it belongs to.
tl::unexpected<Error> FileWithoutOption(const CommandWords& split, const std::string& word) {
  const bool only_report = split.subcommands.size() == 1 && split.subcommands[0] == "report";
  return Fail(
      ErrorCode::kInvalidScenario,
      fmt::format("\"{0}\" is no subcommand; give {1} {0}", word,
                  only_report ? "measurements with --measurements" : "the scenario with --cfg"));
}

}  // namespace

std::span<const SubcommandInfo> Subcommands() { return kSubcommands; }

Result<CommandWords> SplitCommandWords(std::span<const std::string> words) {
  CommandWords split;
  std::size_t i = 0;
  for (; i < words.size() && !words[i].starts_with('-'); ++i) {
    const bool chaining = !split.subcommands.empty();
    const SubcommandInfo* info = FindSubcommand(words[i]);
    if (chaining && !FindSubcommand(split.subcommands.back())->chains) break;  // Its own words.
    if (info == nullptr) {
      const bool file = chaining && words[i].find_first_of("./") != std::string::npos;
      return file ? FileWithoutOption(split, words[i]) : Unknown(words[i]);
    }
    if (!info->absent.empty()) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{}: known to Kenning, not available here, because {}", words[i],
                              info->absent));
    }
    if (chaining && !info->chains) {
      return Fail(
          ErrorCode::kInvalidScenario,
          fmt::format("{} stands alone: only optimize, test and report can be chained", words[i]));
    }
    if (std::ranges::find(split.subcommands, words[i]) != split.subcommands.end()) {
      return Fail(ErrorCode::kInvalidScenario, fmt::format("{} was given twice", words[i]));
    }
    split.subcommands.push_back(words[i]);
  }
  split.rest.assign(words.begin() + static_cast<std::ptrdiff_t>(i), words.end());
  return split;
}

std::string MainHelp() {
  std::string text =
      "kenning: take a trained neural network to a device, and prove what it cost.\n\n"
      "Usage: kenning SUBCOMMAND [SUBCOMMAND…] [OPTION…]\n\nSubcommands:\n";
  for (const SubcommandInfo& one : kSubcommands) {
    if (!one.summary.empty()) text += fmt::format("  {:<21} {}\n", one.name, one.summary);
  }
  text +=
      "\noptimize, test and report can be chained.\n\n"
      "Options:\n"
      "  -h, --help   This text; after a subcommand: its options, with those of the chosen "
      "classes\n"
      "  --version    Version\n\n"
      "Examples:\n"
      "  kenning optimize test report --cfg scenario.json --measurements int8.json \\\n"
      "      --report-path report.md\n"
      "  kenning test --cfg scenario.json --measurements out.json --num-threads 2\n"
      "  kenning report --measurements fp32.json int8.json --report-path comparison.md\n"
      "  kenning test --cfg scenario.json --help\n"
      "  kenning info ONNXQuantizer\n";
  return text;
}

}  // namespace kenning
