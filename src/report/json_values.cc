// SPDX-License-Identifier: Apache-2.0
#include "report/json_values.h"

#include <algorithm>
#include <cmath>

#include "kenning/base/json_depth.h"

namespace kenning {
namespace {

using nlohmann::json;

constexpr std::int64_t kMostNs = 4'000'000'000'000'000'000;

}  // namespace

json ParseJson(std::string_view text) {
  // Before the parse, as nlohmann's callback looks through the whole parent after each object.
  if (!NestsAtMost(text, kMostJsonDepth)) {
    throw json::other_error::create(
        501, fmt::format("nested deeper than {} levels", kMostJsonDepth), nullptr);
  }
  return json::parse(text.begin(), text.end());
}

std::optional<json> TryParseJson(std::string_view text) {
  try {
    return ParseJson(text);
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

void ThrowWrongValue(const json& value, const std::string& wanted) {
  std::string found = value.type_name();
  if (value.is_number() || value.is_boolean()) found = value.dump();
  throw json::type_error::create(302, fmt::format("{} is expected, found {}", wanted, found),
                                 &value);
}

double Real(const json& value) {
  if (value.is_null()) return std::numeric_limits<double>::quiet_NaN();
  if (!value.is_number()) ThrowWrongValue(value, "a number");
  return value.get<double>();
}

std::vector<float> Floats(const json& list) {
  std::vector<float> numbers;
  for (const json& value : List(list)) {
    // Beyond the range of float the conversion is undefined.
    constexpr double kMost = std::numeric_limits<float>::max();
    numbers.push_back(static_cast<float>(std::clamp(Real(value), -kMost, kMost)));
  }
  return numbers;
}

std::int64_t Nanoseconds(const json& value) {
  return Whole<std::int64_t>(value, -kMostNs, kMostNs);
}

std::int64_t NanosecondsOfSeconds(const json& seconds) {
  const double ns = Real(seconds) * 1e9;
  if (!(std::abs(ns) <= static_cast<double>(kMostNs))) {
    ThrowWrongValue(seconds, "a number of seconds");
  }
  return std::llround(ns);
}

const json& List(const json& value) {
  if (!value.is_array()) ThrowWrongValue(value, "a list");
  return value;
}

}  // namespace kenning
