// SPDX-License-Identifier: Apache-2.0
#include "agent_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json_params.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "kenning/base/uri.h"
#include "kenning/registry/params_from_text.h"

namespace kenning::target {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLargestScenario = 1 << 20;

Result<ConfiguredBlock> ReadBlock(const Json& json, BlockCategory category,
                                  const Registry& registry) {
  const std::string key(CategoryName(category));
  if (!json.is_object() || !json.contains("type") || !json["type"].is_string()) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{}: must be an object with \"type\"", key));
  }
  for (const auto& [name, value] : json.items()) {
    if (name != "type" && name != "parameters") {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{}.{}: not known; allowed: type, parameters", key, name));
    }
  }
  KENNING_ASSIGN_OR_RETURN(
      ConfiguredBlock block,
      DefaultBlock(category, json["type"].get_ref<const std::string&>(), registry), key);
  KENNING_ASSIGN_OR_RETURN(
      auto values,
      ParamsFromJson(*block.info, json.value("parameters", Json::object()), block.params.values()),
      key);
  block.params = Params(std::move(values));
  MakePathsAbsolute(block);
  return block;
}

std::optional<ConfiguredBlock>* Place(ServerScenario& scenario, BlockCategory category) {
  switch (category) {
    case BlockCategory::kPlatform:
      return &scenario.platform;
    case BlockCategory::kRuntime:
      return &scenario.runtime;
    case BlockCategory::kProtocol:
      return &scenario.protocol;
    default:
      return nullptr;
  }
}

}  // namespace

Result<ConfiguredBlock> DefaultBlock(BlockCategory category, std::string_view type,
                                     const Registry& registry) {
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* info, registry.Find(category, type));
  return ConfiguredBlock{info, DefaultParams(info->schema)};
}

void MakePathsAbsolute(ConfiguredBlock& block) {
  auto values = block.params.values();
  for (const ParamSpec& spec : block.info->schema.params) {
    if (spec.type != ParamType::kPath && spec.type != ParamType::kUri) continue;
    const auto found = values.find(spec.name);
    if (found == values.end()) continue;
    auto* text = std::get_if<std::string>(&found->second);
    if (text == nullptr || text->empty()) continue;
    const auto path = OutputPathFromUri(*text);
    std::error_code error;
    if (path) *text = std::filesystem::absolute(*path, error).lexically_normal().string();
  }
  block.params = Params(std::move(values));
}

Result<ServerScenario> ParseServerScenario(std::string_view text, const std::string& file_name,
                                           const Registry& registry) {
  ServerScenario scenario;
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::exception& exception) {
    return Fail(ErrorCode::kInvalidScenario, fmt::format("{}: {}", file_name, exception.what()));
  }
  if (!json.is_object()) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{}: a server's scenario is an object with \"protocol\", \"runtime\" "
                            "and \"platform\"",
                            file_name));
  }
  constexpr BlockCategory kCategories[] = {BlockCategory::kPlatform, BlockCategory::kRuntime,
                                           BlockCategory::kProtocol};
  for (const auto& [key, value] : json.items()) {
    const auto category = std::ranges::find_if(
        kCategories, [&key = key](BlockCategory one) { return CategoryName(one) == key; });
    if (category == std::end(kCategories)) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{}: \"{}\" has no place in a server's scenario; allowed: platform, "
                              "runtime, protocol",
                              file_name, key));
    }
    KENNING_ASSIGN_OR_RETURN(*Place(scenario, *category), ReadBlock(value, *category, registry),
                             file_name);
  }
  return scenario;
}

Result<ServerScenario> LoadServerScenario(const std::filesystem::path& path,
                                          const Registry& registry) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestScenario));
  return ParseServerScenario(text, path.string(), registry);
}

}  // namespace kenning::target
