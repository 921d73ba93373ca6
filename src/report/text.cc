// SPDX-License-Identifier: Apache-2.0
#include "report/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

namespace kenning {
namespace {

/// Three significant digits without an exponent.
std::string ThreeDigits(double value) {
  const double size = std::abs(value);
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  if (size >= 1) return fmt::format("{:.2f}", value);
  return fmt::format("{:.3f}", value);
}

}  // namespace

std::string FormatSeconds(double seconds) {
  if (!std::isfinite(seconds)) return "n/a";
  const double size = std::abs(seconds);
  if (size >= 1) return ThreeDigits(seconds) + " s";
  if (size >= 1e-3) return ThreeDigits(seconds * 1e3) + " ms";
  if (size >= 1e-6) return ThreeDigits(seconds * 1e6) + " µs";
  return fmt::format("{:.0f} ns", seconds * 1e9);
}

std::string FormatPercent(double fraction) {
  return std::isfinite(fraction) ? fmt::format("{:.2f} %", 100 * fraction) : "n/a";
}

std::string FormatPoints(double fraction) {
  return std::isfinite(fraction) ? fmt::format("{:+.2f} pp", 100 * fraction) : "n/a";
}

std::string FormatTimes(double factor) {
  return std::isfinite(factor) ? fmt::format("{:.2f}x", factor) : "n/a";
}

std::string EscapeMarkdown(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\`*_[]|~$").find(c) != std::string_view::npos) {
      escaped += '\\';
      escaped += c;
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      escaped += ' ';
    } else {
      escaped += c;
    }
  }
  return escaped;
}

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '&':
        escaped += "&amp;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

std::string CodeBlock(std::string_view text, std::string_view language) {
  std::size_t longest = 2;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(longest + 1, '`');
  const char* newline = text.ends_with('\n') ? "" : "\n";
  return fmt::format("{}{}\n{}{}{}\n", fence, language, text, newline, fence);
}

std::string Slug(std::string_view text) {
  std::string slug;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || c == '_') {
      slug += static_cast<char>(std::tolower(u));
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  constexpr std::size_t kLongest = 80;
  return slug.empty() ? "report" : slug.substr(0, kLongest);
}

std::string MarkdownTable(const std::vector<std::vector<std::string>>& rows) {
  std::string table;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table += fmt::format("| {} |\n", fmt::join(rows[i], " | "));
    if (i > 0) continue;
    table += "|";
    for (std::size_t c = 0; c < rows[i].size(); ++c) table += c == 0 ? "---|" : "---:|";
    table += "\n";
  }
  return table + "\n";
}

}  // namespace kenning
