// SPDX-License-Identifier: Apache-2.0
#include "json_params.h"

#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/strings.h"
#include "kenning/registry/params_from_text.h"

namespace kenning::target {
namespace {

using Json = nlohmann::json;

bool AllOf(const Json& json, bool (*is)(const Json&)) {
  return json.is_array() && std::ranges::all_of(json, is);
}

bool IsString(const Json& json) { return json.is_string(); }
bool IsInt(const Json& json) { return json.is_number_integer(); }
bool IsNumber(const Json& json) { return json.is_number(); }

/// Whether the value has the parameter's type.
bool Fits(ParamType type, const Json& json) {
  switch (type) {
    case ParamType::kBool:
      return json.is_boolean();
    case ParamType::kInt:
      return IsInt(json);
    case ParamType::kFloat:
      return IsNumber(json);
    case ParamType::kString:
    case ParamType::kPath:
    case ParamType::kUri:
      return IsString(json);
    case ParamType::kStringList:
      return AllOf(json, IsString);
    case ParamType::kIntList:
      return AllOf(json, IsInt);
    case ParamType::kFloatList:
      return AllOf(json, IsNumber);
  }
  return false;
}

std::string Shown(const Json& json) {
  std::string text = json.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr std::size_t kMost = 80;
  if (text.size() > kMost) text = text.substr(0, kMost) + "…";
  return text;
}

}  // namespace

Result<ParamValue> ParamFromJson(const ParamSpec& spec, const Json& json) {
  if (json.is_null() && spec.nullable) return ParamValue{};
  if (!Fits(spec.type, json)) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("found {}; allowed: {}{}", Shown(json), ParamTypeName(spec.type),
                            spec.nullable ? " or null" : ""));
  }
  if (spec.type == ParamType::kStringList) {
    // As it is: a comma in a text does not part it.
    ParamValue value{json.get<std::vector<std::string>>()};
    KENNING_RETURN_IF_ERROR(CheckParamValue(spec, value));
    return value;
  }
  KENNING_ASSIGN_OR_RETURN(
      ParamValue value,
      ParamFromText(spec, json.is_string() ? json.get<std::string>() : json.dump()));
  KENNING_RETURN_IF_ERROR(CheckParamValue(spec, value));
  return value;
}

Result<std::map<std::string, ParamValue, std::less<>>> ParamsFromJson(
    const BlockInfo& block, const Json& object,
    std::map<std::string, ParamValue, std::less<>> base) {
  if (!object.is_object()) {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("parameters of {}: found {}; allowed: an object", block.name, Shown(object)));
  }
  for (const auto& [name, value] : object.items()) {
    const ParamSpec* spec = block.schema.Find(name);
    if (spec == nullptr) {
      std::vector<std::string> names;
      for (const ParamSpec& one : block.schema.params) names.push_back(one.name);
      const std::vector<std::string> nearest = NearestNames(name, names, 1);
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} has no parameter \"{}\"{}", block.name, name,
                              nearest.empty() ? "; it has " + Join(names)
                                              : "; did you mean " + nearest[0] + "?"));
    }
    KENNING_ASSIGN_OR_RETURN(ParamValue checked, ParamFromJson(*spec, value),
                             fmt::format("{} of {}", spec->name, block.name));
    base[spec->name] = std::move(checked);
  }
  for (const ParamSpec& spec : block.schema.params) {
    if (spec.required && !base.contains(spec.name)) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} needs its parameter \"{}\"", block.name, spec.name));
    }
  }
  return base;
}

}  // namespace kenning::target
