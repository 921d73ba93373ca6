// SPDX-License-Identifier: Apache-2.0
#include "magic_wand_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <random>
#include <string_view>

#include "kenning/base/file.h"

namespace kenning {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{256} << 20;

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

/// Three finite numbers, separated by commas, and nothing else.
bool ParseReading(std::string_view line, Reading& reading) {
  for (std::size_t axis = 0; axis < reading.size(); ++axis) {
    const std::size_t comma = line.find(',');
    if ((comma == std::string_view::npos) != (axis + 1 == reading.size())) return false;
    const std::string_view field = Trim(line.substr(0, comma));
    const auto [end, error] =
        std::from_chars(field.data(), field.data() + field.size(), reading[axis]);
    if (error != std::errc() || end != field.data() + field.size()) return false;
    if (!std::isfinite(reading[axis])) return false;
    if (comma != std::string_view::npos) line.remove_prefix(comma + 1);
  }
  return true;
}

}  // namespace

Result<std::vector<Recording>> ReadMagicWandFile(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostBytes));
  std::vector<Recording> recordings;
  std::string_view rest = text;
  bool begun = false;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) continue;
    if (line == "-,-,-") {
      begun = false;
      continue;
    }
    Reading reading;
    if (!ParseReading(line, reading)) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}:{}: \"x,y,z\" or \"-,-,-\" is expected, found \"{:.40}\"",
                              path.string(), number, line));
    }
    if (!begun) recordings.emplace_back();
    begun = true;
    recordings.back().push_back(reading);
  }
  return recordings;
}

std::vector<Recording> CutWindows(const Recording& recording, std::size_t size, std::size_t shift,
                                  int noise_level, std::uint64_t seed) {
  std::vector<Recording> windows;
  if (recording.size() >= size) {
    for (std::size_t first = 0; first + size <= recording.size(); first += shift) {
      const auto begin = recording.begin() + static_cast<std::ptrdiff_t>(first);
      windows.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(size));
    }
    return windows;
  }
  std::mt19937_64 generator(seed);
  const auto noisy = [&](Reading reading) {
    for (float& value : reading) {
      const float unit = static_cast<float>(generator() >> 40) * 0x1p-24F;
      value += (unit - 0.5F) * static_cast<float>(noise_level);
    }
    return reading;
  };
  const std::size_t missing = size - recording.size();
  Recording window;
  for (std::size_t i = 0; i < missing / 2; ++i) window.push_back(noisy(recording.front()));
  window.insert(window.end(), recording.begin(), recording.end());
  while (window.size() < size) window.push_back(noisy(recording.back()));
  windows.push_back(std::move(window));
  return windows;
}

}  // namespace kenning
