// SPDX-License-Identifier: Apache-2.0
/// \file
/// Strict reading of JSON that nobody vouches for. Internal to this folder. These functions throw
/// json::exception with the value's path; the callers turn that into an Error.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kenning {

/// Objects and arrays within each other that are read; the files of kenning nest less than ten.
/// Deeper ones would exhaust the stack when written again.
inline constexpr int kMostJsonDepth = 64;

/// Parses with the limit above.
/// \throws json::parse_error, json::other_error
nlohmann::json ParseJson(std::string_view text);
/// The same for text that may be anything; empty where it is not JSON or nests too deep.
std::optional<nlohmann::json> TryParseJson(std::string_view text);

[[noreturn]] void ThrowWrongValue(const nlohmann::json& value, const std::string& wanted);

/// A whole number that fits; nlohmann's own conversion would cut it silently.
template <std::integral T>
T Whole(const nlohmann::json& value, T least = std::numeric_limits<T>::min(),
        T most = std::numeric_limits<T>::max()) {
  bool fits = false;
  T number{};
  if (value.is_number_unsigned()) {
    const auto wide = value.get<std::uint64_t>();
    fits = std::in_range<T>(wide);
    number = static_cast<T>(wide);
  } else if (value.is_number_integer()) {
    const auto wide = value.get<std::int64_t>();
    fits = std::in_range<T>(wide);
    number = static_cast<T>(wide);
  }
  if (!fits || number < least || number > most) {
    ThrowWrongValue(value, fmt::format("a whole number from {} to {}", least, most));
  }
  return number;
}

template <std::integral T>
std::vector<T> Wholes(const nlohmann::json& list) {
  if (!list.is_array()) ThrowWrongValue(list, "a list of whole numbers");
  std::vector<T> numbers;
  numbers.reserve(list.size());
  for (const nlohmann::json& value : list) numbers.push_back(Whole<T>(value));
  return numbers;
}

/// A number; null, which stands for NaN and infinity, becomes NaN.
double Real(const nlohmann::json& value);
std::vector<float> Floats(const nlohmann::json& list);

/// Nanoseconds between -4e18 and 4e18 (126 years), so that differences do not overflow.
std::int64_t Nanoseconds(const nlohmann::json& value);
/// The same from a number of seconds.
std::int64_t NanosecondsOfSeconds(const nlohmann::json& seconds);

/// The value as an array, checked.
const nlohmann::json& List(const nlohmann::json& value);

}  // namespace kenning
