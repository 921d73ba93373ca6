// SPDX-License-Identifier: Apache-2.0
/// \file
/// Everything that is wrong with a scenario, collected so that a user sees it at once.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::scenario {

/// Line and column count from 1; 0 stands for the command line.
struct Position {
  int line = 0;
  int column = 0;
};

/// Collects problems and warnings of one file. Texts are made safe for a terminal here: control
/// characters are shown as escapes and long values are cut.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  /// `key_path` may be empty. An `unavailable` problem is a class that is known but not here.
  void Add(Position where, std::string_view key_path, std::string_view text,
           bool unavailable = false);
  void Warn(Position where, std::string_view text);
  bool empty() const { return problems_.empty(); }
  const std::string& file() const { return file_; }
  std::vector<std::string> TakeWarnings() { return std::move(warnings_); }
  /// All problems in the order of the file, one a line. \return kUnavailable where nothing else is
  /// wrong than classes that are not here, otherwise kInvalidScenario.
  Result<> Finish() const;

 private:
  struct Problem {
    Position where;
    std::string line;
    bool unavailable;
  };
  std::string Prefix(Position where) const;
  std::string file_;
  std::vector<Problem> problems_;
  std::vector<std::string> warnings_;
};

/// Control characters as "\x1b", at most `limit` bytes (cut at a character, "…" appended).
std::string Printable(std::string_view text, std::size_t limit);

}  // namespace kenning::scenario
