// SPDX-License-Identifier: Apache-2.0
/// \file
/// Progress on standard error: a bar with rate and time left on a terminal, plain lines elsewhere.
#pragma once

#include <cstdio>
#include <string>

#include "kenning/base/progress.h"

namespace kenning {

/// Redraws at most ten times a second; a plain line appears at the end of a stage, and every ten
/// seconds of a long one. Calls come from one thread; log lines from any.
class ConsoleProgress final : public ProgressSink {
 public:
  /// `terminal`: draw bars. `columns`: width of the terminal.
  ConsoleProgress(std::FILE* out, bool terminal, int columns);
  /// For standard error as it is; NO_COLOR and TERM=dumb give plain lines.
  static ConsoleProgress ForStandardError();
  ConsoleProgress(const ConsoleProgress&) = delete;
  ConsoleProgress& operator=(const ConsoleProgress&) = delete;
  ~ConsoleProgress() override;

  void Begin(std::string_view stage, std::uint64_t total, std::string_view unit) override;
  void Update(std::uint64_t done) override;
  void End() override;

 private:
  void Draw(std::int64_t now_ns);
  std::string Line(std::int64_t now_ns) const;

  std::FILE* out_;
  bool terminal_;
  int columns_;
  std::string stage_;
  std::string unit_;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
  std::int64_t begun_ns_ = 0;
  std::int64_t drawn_ns_ = 0;
  bool active_ = false;
};

}  // namespace kenning
