// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <cstdlib>
#include <memory>

namespace kenning {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kWarning};
std::atomic<void (*)()> g_before_line{nullptr};
std::atomic<bool> g_journal{false};

/// Levels of syslog(3).
int JournalLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return 7;
    case LogLevel::kInfo:
      return 6;
    case LogLevel::kWarning:
      return 4;
    case LogLevel::kError:
      return 3;
  }
  return 3;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    const bool plain = std::getenv("NO_COLOR") != nullptr;
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
        plain ? spdlog::color_mode::never : spdlog::color_mode::automatic);
    auto made = std::make_shared<spdlog::logger>("kenning", std::move(sink));
    made->set_pattern("%^%l%$: %v");
    made->set_level(spdlog::level::debug);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

}  // namespace

void SetLogLevel(LogLevel level) { g_level.store(level, std::memory_order_relaxed); }
LogLevel GetLogLevel() { return g_level.load(std::memory_order_relaxed); }

void UseJournalPrefixes() { g_journal.store(true, std::memory_order_relaxed); }

void SetBeforeLogLine(void (*hook)()) { g_before_line.store(hook, std::memory_order_relaxed); }

void LogLine(LogLevel level, std::string_view text) {
  if (level < GetLogLevel()) return;
  if (auto* const hook = g_before_line.load(std::memory_order_relaxed)) hook();
  if (g_journal.load(std::memory_order_relaxed)) {
    // One call of the system, so that lines of several processes do not mix.
    fmt::print(stderr, "<{}>{}\n", JournalLevel(level), text);
    return;
  }
  Logger().log(ToSpdlog(level), "{}", text);
}

}  // namespace kenning
