// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <set>

#include "cli/command_words.h"
#include "cli/commands.h"
#include "cli/pipeline_options.h"
#include "cli/simple_options.h"
#include "kenning/toolchain/toolchain.h"
#include "target/agent_command.h"
#include "transport/devices.h"

namespace kenning {
namespace {

// Each script asks the command itself, so that completions never lag behind it. An answer of
// nothing means: complete file names.
constexpr std::string_view kBash = R"(_kenning() {
  local IFS=$'\n' candidates
  candidates=$(kenning __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=($(compgen -W "$candidates" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _kenning kenning
)";

constexpr std::string_view kZsh = R"(#compdef kenning
_kenning() {
  local -a candidates
  candidates=("${(@f)$(kenning __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "${candidates[1]}" ]]; then
    compadd -a candidates
  else
    _files
  fi
}
compdef _kenning kenning
)";

constexpr std::string_view kFish = R"(function __kenning_complete
    set -l words (commandline -opc) (commandline -ct)
    kenning __complete -- $words[2..-1] 2>/dev/null
end
complete -c kenning -a '(__kenning_complete)'
)";

std::set<std::string> SubcommandNames(bool chaining, const std::vector<std::string>& given) {
  std::set<std::string> names;
  for (const SubcommandInfo& one : Subcommands()) {
    const bool used = std::ranges::find(given, one.name) != given.end();
    if (!one.summary.empty() && !used && (!chaining || one.chains)) names.emplace(one.name);
  }
  return names;
}

std::set<std::string> ClassNames(BlockCategory category, const Registry& registry) {
  std::set<std::string> names;
  for (const BlockInfo* block : registry.List(category)) names.insert(block->name);
  return names;
}

std::set<std::string> AllClassNames(const Registry& registry) {
  std::set<std::string> names;
  for (int i = 0; i <= static_cast<int>(BlockCategory::kOther); ++i) {
    names.merge(ClassNames(static_cast<BlockCategory>(i), registry));
  }
  return names;
}

std::set<std::string> ToolchainNames() {
  std::set<std::string> names;
  const auto all = ListToolchains();
  for (const ToolchainInfo& info : all ? *all : std::vector<ToolchainInfo>{}) {
    names.insert(info.name);
  }
  return names;
}

/// After diff and explain: their flags, the classes of a runtime or dataset, else file names.
std::set<std::string> ComparisonWords(const std::vector<std::string>& flags, bool option,
                                      const std::vector<std::string>& before,
                                      const Registry& registry) {
  if (option) return {flags.begin(), flags.end()};
  const std::string previous = before.empty() ? "" : before.back();
  if (previous.starts_with("--runtime") || previous == "--baseline-runtime")
    return ClassNames(BlockCategory::kRuntime, registry);
  for (const ClassFlag& flag : ClassFlags()) {
    if (previous == flag.flag) return ClassNames(flag.category, registry);
  }
  return {};
}

/// After server and its older names: the agent's options, the classes' own, the classes.
std::set<std::string> ServerWords(const std::string& command, bool option,
                                  const std::vector<std::string>& before,
                                  const Registry& registry) {
  std::set<std::string> names;
  if (option) {
    const std::vector<std::string> flags = target::AgentFlags();
    names = {flags.begin(), flags.end()};
  }
  if (command != "inference_server") return names;
  if (!option) {
    names = ClassNames(BlockCategory::kRuntime, registry);
    names.merge(ClassNames(BlockCategory::kProtocol, registry));
    return names;
  }
  for (const std::string& word : before) {
    const auto block = registry.FindAny(word);
    if (!block) continue;
    for (const ParamSpec& spec : (*block)->schema.params) names.insert(FlagFor(spec));
  }
  return names;
}

std::set<std::string> DeviceNames() {
  std::set<std::string> names;
  const auto devices = ReadDevices(DevicesFile());
  for (const Device& device : devices ? *devices : std::vector<Device>{}) {
    names.insert(device.name);
  }
  return names;
}

/// What may stand where the last of `words` stands.
std::set<std::string> Candidates(const Words& words, const Registry& registry) {
  const Words before(words.begin(), words.empty() ? words.end() : words.end() - 1);
  const auto split = SplitCommandWords(before);
  if (!split) return {};
  const bool option = !words.empty() && words.back().starts_with('-');
  if (split->subcommands.empty()) {
    return option ? std::set<std::string>{"--help", "--version"} : SubcommandNames(false, {});
  }
  const std::string& last = split->subcommands.back();
  if (last == "completion") return {"bash", "zsh", "fish"};
  if (last == "cache") return {"list", "clear", "path"};
  if (last == "toolchain") {
    if (split->rest.empty()) return {"list", "install", "remove", "doctor"};
    return ToolchainNames();
  }
  if (last == "info") return AllClassNames(registry);
  if (last == "list") {
    const std::vector<std::string> words_of_list = ListCategories();
    return {words_of_list.begin(), words_of_list.end()};
  }
  if (last == "diff") return ComparisonWords(DiffFlags(), option, split->rest, registry);
  if (last == "explain") return ComparisonWords(ExplainFlags(), option, split->rest, registry);
  if (last == "devices" || last == "doctor") {
    const bool actions = last == "devices" && split->rest.empty();
    const std::vector<std::string> fixed = option
                                               ? last == "doctor" ? DoctorFlags() : DevicesFlags()
                                           : actions ? DevicesActions()
                                                     : std::vector<std::string>{};
    if (option || actions) return {fixed.begin(), fixed.end()};
    // A file may stand behind an option.
    const bool value = !split->rest.empty() && split->rest.back().starts_with('-');
    return value ? std::set<std::string>{} : DeviceNames();
  }
  if (last == "schema") return {"--output"};
  if (last.ends_with("server")) return ServerWords(last, option, split->rest, registry);
  if (last == "json_inference_tester") {
    Words given = split->rest;
    if (given.size() < 2 || !option) return {};  // Two files come first.
    given.insert(given.begin() + 1, "--measurements");
    given.insert(given.begin(), "--cfg");
    const std::vector<std::string> flags = PipelineFlags({"optimize", "test"}, given, registry);
    return {flags.begin(), flags.end()};
  }
  if (last == "inference_tester") {
    if (split->rest.size() < 5 || !option) return {};  // Four classes and a file come first.
    const std::vector<std::string> flags =
        PipelineFlags({"optimize", "test"}, InferenceTesterWords(split->rest), registry);
    return {flags.begin(), flags.end()};
  }
  if (option) {
    const std::vector<std::string> flags = PipelineFlags(split->subcommands, split->rest, registry);
    return {flags.begin(), flags.end()};
  }
  if (split->rest.empty()) return SubcommandNames(true, split->subcommands);
  for (const ClassFlag& flag : ClassFlags()) {
    if (split->rest.back() == flag.flag) return ClassNames(flag.category, registry);
  }
  if (split->rest.back() == "--verbosity") return {"DEBUG", "INFO", "WARNING", "ERROR"};
  if (split->rest.back() == "--report-types") return {"performance", "classification"};
  return {};
}

}  // namespace

Result<int> CompletionCommand(const Words& words, CommandContext& /*context*/) {
  CLI::App app("A completion script for a shell.", "kenning completion");
  std::string shell;
  app.add_option("shell", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  app.footer(
      "Examples:\n"
      "  source <(kenning completion bash)\n"
      "  kenning completion zsh > ~/.zfunc/_kenning\n"
      "  kenning completion fish > ~/.config/fish/completions/kenning.fish");
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(app, words));
  if (ended) return *ended;
  fmt::print("{}", shell == "bash" ? kBash : shell == "zsh" ? kZsh : kFish);
  return 0;
}

Result<int> CompleteCommand(const Words& words, CommandContext& context) {
  Words typed = words;
  if (!typed.empty() && typed[0] == "--") typed.erase(typed.begin());
  for (const std::string& candidate : Candidates(typed, context.registry)) {
    if (typed.empty() || candidate.starts_with(typed.back())) fmt::print("{}\n", candidate);
  }
  return 0;
}

}  // namespace kenning
