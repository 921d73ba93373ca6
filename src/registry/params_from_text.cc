// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/params_from_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kenning/base/strings.h"

namespace kenning {
namespace {

Result<ParamValue> WrongType(const ParamSpec& spec, const std::string& text) {
  return Fail(ErrorCode::kInvalidScenario,
              fmt::format("found \"{}\"; allowed: {}{}", text, ParamTypeName(spec.type),
                          spec.nullable ? " or null" : ""));
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return false;
  if constexpr (std::is_floating_point_v<Number>) return std::isfinite(value);
  return true;
}

/// The elements of "a,b" or ["a", "b"].
std::vector<std::string> SplitList(const std::string& text) {
  if (text.starts_with('[')) {
    const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_array()) {
      std::vector<std::string> items;
      for (const auto& item : json) {
        items.push_back(item.is_string() ? item.get<std::string>() : item.dump());
      }
      return items;
    }
  }
  std::vector<std::string> items;
  for (std::size_t start = 0; start <= text.size() && !text.empty();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    items.push_back(text.substr(start, comma - start));
    start = comma + 1;
  }
  return items;
}

template <typename Number>
Result<ParamValue> NumberList(const ParamSpec& spec, const std::string& text) {
  std::vector<Number> numbers;
  for (const std::string& item : SplitList(text)) {
    Number number{};
    if (!ParseNumber(item, number)) return WrongType(spec, text);
    numbers.push_back(number);
  }
  return ParamValue{std::move(numbers)};
}

Result<ParamValue> BoolFromText(const ParamSpec& spec, const std::string& text) {
  for (const char* yes : {"", "true", "True", "yes", "1", "on"}) {
    if (text == yes) return ParamValue{true};
  }
  for (const char* no : {"false", "False", "no", "0", "off"}) {
    if (text == no) return ParamValue{false};
  }
  return WrongType(spec, text);
}

Result<> CheckAllowed(const ParamSpec& spec, const std::string& text) {
  if (spec.allowed.empty() || std::ranges::find(spec.allowed, text) != spec.allowed.end())
    return {};
  std::string message = fmt::format("found \"{}\"; allowed: {}", text, Join(spec.allowed));
  const std::vector<std::string> nearest = NearestNames(text, spec.allowed, 1);
  if (!nearest.empty()) message += fmt::format("; did you mean \"{}\"?", nearest[0]);
  return Fail(ErrorCode::kInvalidScenario, message);
}

Result<> CheckRange(const ParamSpec& spec, double value) {
  if ((spec.minimum && !(value >= *spec.minimum)) || (spec.maximum && !(value <= *spec.maximum))) {
    std::string range;
    if (spec.minimum) range += fmt::format(" at least {}", *spec.minimum);
    if (spec.maximum)
      range += fmt::format("{} at most {}", range.empty() ? "" : " and", *spec.maximum);
    return Fail(ErrorCode::kInvalidScenario, fmt::format("found {}; must be{}", value, range));
  }
  return {};
}

}  // namespace

Result<ParamValue> ParamFromText(const ParamSpec& spec, const std::string& text) {
  if (spec.nullable && text == "null") return ParamValue{};
  switch (spec.type) {
    case ParamType::kBool:
      return BoolFromText(spec, text);
    case ParamType::kInt: {
      std::int64_t number = 0;
      if (!ParseNumber(text, number)) return WrongType(spec, text);
      return ParamValue{number};
    }
    case ParamType::kFloat: {
      double number = 0;
      if (!ParseNumber(text, number)) return WrongType(spec, text);
      return ParamValue{number};
    }
    case ParamType::kString:
    case ParamType::kPath:
    case ParamType::kUri:
      return ParamValue{text};
    case ParamType::kStringList:
      return ParamValue{SplitList(text)};
    case ParamType::kIntList:
      return NumberList<std::int64_t>(spec, text);
    case ParamType::kFloatList:
      return NumberList<double>(spec, text);
  }
  return WrongType(spec, text);
}

Result<> CheckParamValue(const ParamSpec& spec, const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return CheckAllowed(spec, *text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& item : *list) KENNING_RETURN_IF_ERROR(CheckAllowed(spec, item));
    return {};
  }
  if (const auto* number = std::get_if<std::int64_t>(&value)) {
    return CheckRange(spec, static_cast<double>(*number));
  }
  if (const auto* number = std::get_if<double>(&value)) return CheckRange(spec, *number);
  // Lists of numbers: each element on its own.
  if (const auto* ints = std::get_if<std::vector<std::int64_t>>(&value)) {
    for (const std::int64_t item : *ints) {
      KENNING_RETURN_IF_ERROR(CheckRange(spec, static_cast<double>(item)));
    }
  }
  if (const auto* floats = std::get_if<std::vector<double>>(&value)) {
    for (const double item : *floats) KENNING_RETURN_IF_ERROR(CheckRange(spec, item));
  }
  return {};
}

Params DefaultParams(const ParamSchema& schema) {
  std::map<std::string, ParamValue, std::less<>> values;
  for (const ParamSpec& param : schema.params) {
    if (param.default_value) values[param.name] = *param.default_value;
  }
  return Params(std::move(values));
}

}  // namespace kenning
