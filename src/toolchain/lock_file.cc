// SPDX-License-Identifier: Apache-2.0
#include "toolchain/lock_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/strings.h"

namespace kenning {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

Result<LockedPackage> ParsePackage(const std::string& line, const std::string& file_name,
                                   int number) {
  const auto fail = [&](const char* what) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}:{}: {}", file_name, number, what));
  };
  LockedPackage package;
  package.line = line;
  const std::size_t equals = line.find("==");
  const std::size_t end = std::min(line.find_first_of(" ;\t"), line.size());
  if (equals == std::string::npos || equals == 0 || equals > end) {
    return fail("a package without an exact version (name==version)");
  }
  package.name = line.substr(0, std::min(equals, line.find('[')));
  package.version = line.substr(equals + 2, end - equals - 2);
  const bool plain = std::ranges::all_of(package.name + package.version, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_' || c == '+' || c == '!';
  });
  if (!plain || package.version.empty()) return fail("a name or version with other characters");
  if (line.find("--hash=sha256:") == std::string::npos) return fail("a package without a SHA-256");
  return package;
}

}  // namespace

Result<std::vector<LockedPackage>> ParseLockFile(std::string_view text,
                                                 const std::string& file_name) {
  std::vector<LockedPackage> packages;
  std::string pending;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    const std::size_t comment = line.find('#');
    if (comment != std::string_view::npos) line = line.substr(0, comment);
    line = Trim(line);
    const bool goes_on = line.ends_with('\\');
    if (goes_on) line = Trim(line.substr(0, line.size() - 1));
    if (!line.empty()) pending += (pending.empty() ? "" : " ") + std::string(line);
    if (goes_on || pending.empty()) continue;
    KENNING_ASSIGN_OR_RETURN(LockedPackage package, ParsePackage(pending, file_name, number));
    packages.push_back(std::move(package));
    pending.clear();
  }
  if (packages.empty()) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: no package in it", file_name));
  }
  return packages;
}

std::string NormalPackageName(std::string_view name) {
  std::string normal;
  for (const char c : ToLower(name)) {
    const bool separator = c == '-' || c == '_' || c == '.';
    if (!separator) {
      normal += c;
    } else if (!normal.ends_with('-')) {
      normal += '-';
    }
  }
  return normal;
}

}  // namespace kenning
