// SPDX-License-Identifier: Apache-2.0
#include "scenario/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "kenning/base/strings.h"

namespace kenning::scenario {
namespace {

constexpr std::size_t kMostShown = 50;
constexpr std::size_t kMostWarnings = 20;
constexpr std::size_t kLongestText = 600;
constexpr std::size_t kLongestPath = 200;

}  // namespace

std::string Printable(std::string_view text, std::size_t limit) {
  const bool cut = text.size() > limit;
  std::size_t size = std::min(limit, text.size());
  // A UTF-8 continuation byte at the cut belongs to a character that would be halved.
  while (cut && size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  std::string safe;
  for (const char c : text.substr(0, size)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      safe += fmt::format("\\x{:02x}", byte);
    } else {
      safe += c;
    }
  }
  return cut ? safe + "…" : safe;
}

std::string Problems::Prefix(Position where) const {
  if (where.line == 0) return "command line";
  return fmt::format("{}:{}:{}", file_, where.line, where.column);
}

void Problems::Add(Position where, std::string_view key_path, std::string_view text,
                   bool unavailable) {
  std::string line = Prefix(where) + ": ";
  if (!key_path.empty()) line += Printable(key_path, kLongestPath) + ": ";
  line += Printable(text, kLongestText);
  problems_.push_back({where, std::move(line), unavailable});
}

void Problems::Warn(Position where, std::string_view text) {
  if (warnings_.size() >= kMostWarnings) return;
  warnings_.push_back(fmt::format("{}: {}", Prefix(where), Printable(text, kLongestText)));
}

Result<> Problems::Finish() const {
  if (problems_.empty()) return {};
  std::vector<Problem> sorted = problems_;
  std::ranges::stable_sort(sorted, {}, [](const Problem& problem) {
    return std::make_tuple(problem.where.line == 0, problem.where.line, problem.where.column);
  });
  const bool unavailable =
      std::ranges::all_of(sorted, [](const Problem& problem) { return problem.unavailable; });
  std::vector<std::string> lines;
  for (const Problem& problem : sorted) {
    if (lines.size() == kMostShown) break;
    lines.push_back(problem.line);
  }
  if (sorted.size() > kMostShown) {
    lines.push_back(fmt::format("and {} more", sorted.size() - kMostShown));
  }
  return Fail(unavailable ? ErrorCode::kUnavailable : ErrorCode::kInvalidScenario,
              Join(lines, "\n"));
}

}  // namespace kenning::scenario
