// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <nlohmann/json.hpp>

#include "scenario/json_params.h"
#include "scenario/scenario.h"
#include "scenario/scenario_keys.h"

namespace kenning {
namespace {

using Json = nlohmann::ordered_json;

const char* JsonTypeName(ParamType type) {
  switch (type) {
    case ParamType::kBool:
      return "boolean";
    case ParamType::kInt:
    case ParamType::kIntList:
      return "integer";
    case ParamType::kFloat:
    case ParamType::kFloatList:
      return "number";
    default:
      return "string";
  }
}

bool IsList(ParamType type) {
  return type == ParamType::kStringList || type == ParamType::kIntList ||
         type == ParamType::kFloatList;
}

Json ParamJson(const ParamSpec& spec) {
  Json element;
  element["type"] = JsonTypeName(spec.type);
  if (!spec.allowed.empty()) element["enum"] = spec.allowed;
  if (spec.minimum) element["minimum"] = *spec.minimum;
  if (spec.maximum) element["maximum"] = *spec.maximum;
  Json json;
  if (IsList(spec.type)) {
    json["type"] = "array";
    json["items"] = std::move(element);
  } else {
    json = std::move(element);
  }
  if (spec.nullable) {
    json["type"] = Json::array({json["type"], "null"});
    if (json.contains("enum")) json["enum"].push_back(nullptr);
  }
  json["description"] = spec.description;
  if (spec.default_value) json["default"] = scenario::ToJson<Json>(*spec.default_value);
  return json;
}

/// {"required": ["a"]}, or any of the spellings.
Json RequiredJson(const ParamSpec& spec) {
  Json any = Json::array();
  any.push_back(Json::object({{"required", Json::array({spec.name})}}));
  for (const std::string& alias : spec.aliases) {
    any.push_back(Json::object({{"required", Json::array({alias})}}));
  }
  return Json::object({{"anyOf", std::move(any)}});
}

Json ParametersJson(const ParamSchema& schema) {
  Json json;
  json["type"] = "object";
  json["additionalProperties"] = false;
  json["properties"] = Json::object();
  Json all = Json::array();
  for (const ParamSpec& spec : schema.params) {
    const Json param = ParamJson(spec);
    json["properties"][spec.name] = param;
    for (const std::string& alias : spec.aliases) json["properties"][alias] = param;
    if (spec.required && !spec.default_value) all.push_back(RequiredJson(spec));
  }
  if (!all.empty()) json["allOf"] = std::move(all);
  return json;
}

/// Every spelling of the class: short, dotted, and under Kenning's old module names.
std::vector<std::string> Spellings(const BlockInfo& block) {
  std::vector<std::string> names = {block.name};
  for (const std::string& alias : block.aliases) {
    names.push_back(alias);
    for (const auto& [now, then] :
         {std::pair<std::string, std::string>{"kenning.optimizers.", "kenning.compilers."},
          {"kenning.protocols.", "kenning.runtimeprotocols."}}) {
      if (alias.starts_with(now)) names.push_back(then + alias.substr(now.size()));
    }
  }
  std::vector<std::string> unique;
  for (std::string& name : names) {
    if (std::ranges::find(unique, name) == unique.end()) unique.push_back(std::move(name));
  }
  return unique;
}

bool NeedsParameters(const ParamSchema& schema) {
  return std::ranges::any_of(
      schema.params, [](const ParamSpec& spec) { return spec.required && !spec.default_value; });
}

Json VariantJson(const BlockInfo& block) {
  Json json;
  json["title"] = block.name;
  json["description"] = block.summary;
  json["type"] = "object";
  json["required"] = Json::array({"type"});
  if (NeedsParameters(block.schema)) json["required"].push_back("parameters");
  json["additionalProperties"] = false;
  json["properties"]["type"] = Json::object({{"enum", Spellings(block)}});
  json["properties"]["parameters"] = ParametersJson(block.schema);
  return json;
}

/// null where this build has no block of the category.
Json CategoryJson(const Registry& registry, BlockCategory category) {
  Json variants = Json::array();
  for (const BlockInfo* block : registry.List(category)) variants.push_back(VariantJson(*block));
  if (variants.empty()) return Json::object({{"type", "null"}});
  return Json::object({{"oneOf", std::move(variants)}});
}

}  // namespace

std::string ScenarioJsonSchema(const Registry& registry) {
  Json json;
  json["$schema"] = "http://json-schema.org/draft-07/schema#";
  json["title"] = "kenning scenario";
  json["type"] = "object";
  json["additionalProperties"] = false;
  for (const scenario::BlockKey& key : scenario::kBlockKeys) {
    Json property;
    if (key.is_list) {
      property["type"] = "array";
      property["items"]["$ref"] = std::string("#/definitions/") + key.name;
    } else {
      property["anyOf"] =
          Json::array({Json::object({{"$ref", std::string("#/definitions/") + key.name}}),
                       Json::object({{"type", "null"}})});
    }
    property["description"] = key.description;
    json["properties"][key.name] = std::move(property);
    json["definitions"][key.name] = CategoryJson(registry, key.category);
  }
  for (const scenario::OldKey& old : scenario::kOldKeys) {
    json["properties"][old.old_name]["$ref"] = std::string("#/properties/") + old.name;
  }
  for (const std::string_view key : scenario::kUnusedKeys) {
    json["properties"][std::string(key)] = true;
  }
  return json.dump(2) + "\n";
}

}  // namespace kenning
