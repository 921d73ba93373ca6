// SPDX-License-Identifier: Apache-2.0
#include "app/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace kenning {
namespace {

/// Characters, not bytes, of UTF-8 text.
std::size_t Width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string Shortened(const std::string& text, std::size_t widest) {
  // Bytes that are no ASCII are not cut through.
  const bool ascii =
      std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (text.size() <= widest || !ascii) return text;
  const std::size_t tail = widest / 2;
  return text.substr(0, widest - tail - 1) + "…" + text.substr(text.size() - tail);
}

}  // namespace

std::string TextTable(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                      std::size_t widest) {
  std::vector<std::vector<std::string>> cells = rows;
  std::vector<std::size_t> widths;
  for (auto& row : cells) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = Shortened(row[i], widest);
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], Width(row[i]));
    }
  }
  std::string text;
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - Width(row[i]), ' ');
      line += (i > 0 ? "  " : "") + (i < left ? row[i] + pad : pad + row[i]);
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string ShortNumber(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return fmt::format("{:.4g}", value);
}

}  // namespace kenning
