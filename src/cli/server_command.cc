// SPDX-License-Identifier: Apache-2.0
// `kenning server`, and the two scripts of Kenning's first versions that it replaces. The work is
// the agent's (target/).
#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "kenning/base/strings.h"
#include "kenning/registry/params_from_text.h"
#include "target/agent_command.h"
#include "target/agent_config.h"

namespace kenning {
namespace {

using target::AgentPreset;
using target::ConfiguredBlock;

constexpr std::string_view kInferenceServerHelp =
    "Serves models as Kenning's script of this name did.\n\n"
    "Usage: kenning inference_server [PROTOCOL] RUNTIME [OPTION…]\n\n"
    "  PROTOCOL   Class of the protocol; by default NetworkProtocol\n"
    "  RUNTIME    Class of the runtime\n\n"
    "Every parameter of the two classes is an option, as \"kenning info CLASS\" shows them; an "
    "option\nwithout a value has its default. The others are those of \"kenning server "
    "--help\".\n\n"
    "Example:\n"
    "  kenning inference_server NetworkProtocol TFLiteRuntime --host --port 12345 \\\n"
    "      --packet-size 32768 --save-model-path model.tflite --delegates-list --verbosity INFO\n";

constexpr std::string_view kJsonInferenceServerHelp =
    "Serves models as Kenning's script of this name did.\n\n"
    "Usage: kenning json_inference_server CFG.json [OPTION…]\n\n"
    "  CFG.json   Scenario with protocol, runtime and platform\n\n"
    "It is the same as: kenning server --cfg CFG.json [OPTION…]\n\n"
    "Example:\n"
    "  kenning json_inference_server server.json --verbosity INFO\n";

bool AsksForHelp(const Words& words) {
  return std::ranges::find(words, "-h") != words.end() ||
         std::ranges::find(words, "--help") != words.end();
}

/// The classes that stand before the options.
Result<AgentPreset> ReadClasses(std::span<const std::string> classes, const Registry& registry) {
  AgentPreset preset;
  for (const std::string& type : classes) {
    KENNING_ASSIGN_OR_RETURN(const BlockInfo* info, registry.FindAny(type));
    const bool protocol = info->category == BlockCategory::kProtocol;
    if (!protocol && info->category != BlockCategory::kRuntime) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} is neither a protocol nor a runtime", info->name));
    }
    auto& place = protocol ? preset.protocol : preset.runtime;
    if (place) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} and {}: one of them only", place->info->name, info->name));
    }
    place = ConfiguredBlock{info, DefaultParams(info->schema)};
  }
  if (!preset.protocol) {
    KENNING_ASSIGN_OR_RETURN(preset.protocol, target::DefaultBlock(BlockCategory::kProtocol,
                                                                   "NetworkProtocol", registry));
  }
  if (preset.runtime) return preset;
  return Fail(ErrorCode::kInvalidScenario,
              "inference_server takes the class of a runtime first; see --help");
}

const ParamSpec* FindByFlag(const ParamSchema& schema, std::string_view flag) {
  for (const ParamSpec& spec : schema.params) {
    if (FlagFor(spec) == flag) return &spec;
  }
  return nullptr;
}

/// Sets the parameter of a flag with the words behind it; none: the default, as in "--host --port".
Result<> SetParameter(ConfiguredBlock& block, const ParamSpec& spec,
                      std::span<const std::string> words) {
  if (words.empty() && spec.type != ParamType::kBool) return {};
  const bool list = spec.type == ParamType::kStringList || spec.type == ParamType::kIntList ||
                    spec.type == ParamType::kFloatList;
  if (words.size() > 1 && !list) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{} takes one value, not \"{}\"", FlagFor(spec), Join(words, " ")));
  }
  KENNING_ASSIGN_OR_RETURN(ParamValue value, ParamFromText(spec, Join(words, ",")), FlagFor(spec));
  KENNING_RETURN_IF_ERROR(CheckParamValue(spec, value), FlagFor(spec));
  auto values = block.params.values();
  values[spec.name] = std::move(value);
  block.params = Params(std::move(values));
  return {};
}

}  // namespace

Result<int> ServerCommand(const Words& words, CommandContext& context) {
  AgentPreset preset;
  preset.program = "kenning server";
  return target::AgentCommand(words, std::move(preset), context.registry);
}

Result<int> InferenceServerCommand(const Words& words, CommandContext& context) {
  if (AsksForHelp(words)) {
    fmt::print("{}", kInferenceServerHelp);
    return 0;
  }
  const auto is_flag = [](const std::string& word) { return word.starts_with("-"); };
  const auto first_flag = std::ranges::find_if(words, is_flag);
  KENNING_ASSIGN_OR_RETURN(AgentPreset preset,
                           ReadClasses({words.begin(), first_flag}, context.registry));
  preset.program = "kenning server";
  Words rest;
  for (auto flag = first_flag; flag != words.end();) {
    const auto end = std::find_if(flag + 1, words.end(), is_flag);
    const std::size_t equals = flag->find('=');
    const std::string name = flag->substr(0, equals);
    Words values(flag + 1, end);
    if (equals != std::string::npos) values.insert(values.begin(), flag->substr(equals + 1));
    const ParamSpec* spec = nullptr;
    for (auto* block : {&preset.protocol, &preset.runtime}) {
      spec = FindByFlag((*block)->info->schema, name);
      if (spec == nullptr) continue;
      KENNING_RETURN_IF_ERROR(SetParameter(**block, *spec, values));
      break;
    }
    if (spec == nullptr) rest.insert(rest.end(), flag, end);
    flag = end;
  }
  target::MakePathsAbsolute(*preset.protocol);
  target::MakePathsAbsolute(*preset.runtime);
  return target::AgentCommand(rest, std::move(preset), context.registry);
}

Result<int> JsonInferenceServerCommand(const Words& words, CommandContext& context) {
  if (AsksForHelp(words)) {
    fmt::print("{}", kJsonInferenceServerHelp);
    return 0;
  }
  if (words.empty() || words[0].starts_with('-')) {
    return Fail(ErrorCode::kInvalidScenario,
                "json_inference_server takes the scenario first; see --help");
  }
  Words rest = {"--cfg", words[0]};
  rest.insert(rest.end(), words.begin() + 1, words.end());
  return ServerCommand(rest, context);
}

}  // namespace kenning
