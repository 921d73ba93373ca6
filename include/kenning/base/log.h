// SPDX-License-Identifier: Apache-2.0
/// \file
/// Log lines for people, on standard error. Never carries results.
#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

namespace kenning {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

/// Sets the lowest level that is shown. Default kWarning.
void SetLogLevel(LogLevel level);
LogLevel GetLogLevel();
/// From now on lines begin with "<3>" to "<7>", as systemd's journal takes levels, not with names.
void UseJournalPrefixes();
/// Called before each line, so that a progress bar can make room; null where there is none. May run
/// on any thread.
void SetBeforeLogLine(void (*hook)());
/// Writes one line, serialised across threads, above any progress bar.
void LogLine(LogLevel level, std::string_view text);

template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  if (GetLogLevel() <= LogLevel::kDebug)
    LogLine(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  if (GetLogLevel() <= LogLevel::kInfo)
    LogLine(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogWarning(fmt::format_string<Args...> format, Args&&... args) {
  if (GetLogLevel() <= LogLevel::kWarning)
    LogLine(LogLevel::kWarning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  LogLine(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace kenning
