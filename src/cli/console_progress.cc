// SPDX-License-Identifier: Apache-2.0
#include "cli/console_progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kenning/base/clock.h"
#include "kenning/base/log.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr std::int64_t kNsPerS = 1'000'000'000;
constexpr std::int64_t kRedrawNs = kNsPerS / 10;
constexpr std::int64_t kPlainLineNs = 10 * kNsPerS;
constexpr std::int64_t kShortStageNs = kNsPerS;
constexpr int kBarWidth = 24;

std::string Amount(std::uint64_t value, const std::string& unit) {
  return unit == "bytes" ? HumanBytes(value) : fmt::format("{}", value);
}

std::string Duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole >= 3600)
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

/// Called before a log line: the bar makes room, and comes back with its next update.
void ClearLine() { static_cast<void>(!::write(STDERR_FILENO, "\r\x1b[K", 4)); }

}  // namespace

ConsoleProgress::ConsoleProgress(std::FILE* out, bool terminal, int columns)
    : out_(out), terminal_(terminal), columns_(columns) {}

ConsoleProgress ConsoleProgress::ForStandardError() {
  const char* term = std::getenv("TERM");
  const bool terminal = ::isatty(STDERR_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr &&
                        (term == nullptr || std::strcmp(term, "dumb") != 0);
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return ConsoleProgress(stderr, terminal, known ? size.ws_col : 80);
}

ConsoleProgress::~ConsoleProgress() {
  if (active_) End();
}

void ConsoleProgress::Begin(std::string_view stage, std::uint64_t total, std::string_view unit) {
  if (active_) End();
  stage_ = stage;
  unit_ = unit;
  total_ = total;
  done_ = 0;
  begun_ns_ = MonotonicNowNs();
  drawn_ns_ = begun_ns_;
  active_ = true;
  if (terminal_) {
    SetBeforeLogLine(ClearLine);
    Draw(begun_ns_);
  }
}

void ConsoleProgress::Update(std::uint64_t done) {
  if (!active_) return;
  done_ = done;
  const std::int64_t now_ns = MonotonicNowNs();
  if (now_ns - drawn_ns_ >= (terminal_ ? kRedrawNs : kPlainLineNs)) Draw(now_ns);
}

void ConsoleProgress::End() {
  if (!active_) return;
  active_ = false;
  const std::int64_t now_ns = MonotonicNowNs();
  if (terminal_) {
    SetBeforeLogLine(nullptr);
    std::fputs("\r\x1b[K", out_);
  }
  // A stage that took no time to speak of needs no line.
  if (now_ns - begun_ns_ >= kShortStageNs) fmt::print(out_, "{}\n", Line(now_ns));
  std::fflush(out_);
}

std::string ConsoleProgress::Line(std::int64_t now_ns) const {
  const double elapsed = std::max(1e-9, static_cast<double>(now_ns - begun_ns_) / 1e9);
  // Work that cannot be counted.
  if (total_ == 0 && unit_.empty()) return fmt::format("{}: {:.1f} s", stage_, elapsed);
  const double rate = static_cast<double>(done_) / elapsed;
  std::string text = fmt::format("{}: {}", stage_, Amount(done_, unit_));
  if (total_ > 0) text += "/" + Amount(total_, unit_);
  if (unit_ != "bytes") text += " " + unit_;
  text += fmt::format(", {}/s", unit_ == "bytes" ? HumanBytes(static_cast<std::uint64_t>(rate))
                                                 : fmt::format("{:.{}f}", rate, rate < 10 ? 1 : 0));
  if (active_ && total_ > done_ && done_ > 0) {
    text += fmt::format(", {} left", Duration(static_cast<double>(total_ - done_) / rate));
  } else {
    text += fmt::format(", {:.1f} s", elapsed);
  }
  return text;
}

void ConsoleProgress::Draw(std::int64_t now_ns) {
  drawn_ns_ = now_ns;
  const std::string line = Line(now_ns);
  if (!terminal_) {
    fmt::print(out_, "{}\n", line);
    std::fflush(out_);
    return;
  }
  std::string bar;
  if (total_ > 0 && columns_ > kBarWidth + 40) {
    const double part = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
    const auto filled = static_cast<int>(part * kBarWidth);
    bar =
        fmt::format("[{:#<{}}{:.<{}}] {:3.0f} % ", "", filled, "", kBarWidth - filled, 100 * part);
  }
  const auto room = static_cast<std::size_t>(std::max(columns_ - 1, 10));
  fmt::print(out_, "\r{}\x1b[K", (bar + line).substr(0, room));
  std::fflush(out_);
}

}  // namespace kenning
