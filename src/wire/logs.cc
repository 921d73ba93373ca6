// SPDX-License-Identifier: Apache-2.0
#include "wire/logs.h"

#include <algorithm>
#include <utility>

namespace kenning::wire {
namespace {

constexpr std::size_t kMaxRecordBytes = 255;
// Lower levels first, as LogLevel has them.
constexpr std::pair<LogLevel, std::string_view> kPrefixes[] = {
    {LogLevel::kDebug, " [DEBUG] "},
    {LogLevel::kInfo, " [INFO] "},
    {LogLevel::kWarning, " [WARNING] "},
    {LogLevel::kError, " [ERROR] "},
};

bool IsPrintable(unsigned char c) { return c >= 0x20 && c < 0x7F; }

// One '?' a character: bytes that go on with a UTF-8 character are left out.
std::string Printable(std::string_view line) {
  std::string text;
  text.reserve(line.size());
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (IsPrintable(byte)) {
      text += c;
    } else if (c == '\t') {
      text += ' ';
    } else if ((byte & 0xC0) != 0x80) {
      text += '?';
    }
  }
  return text;
}

void AppendRecord(std::vector<std::byte>& payload, std::string_view text) {
  payload.push_back(static_cast<std::byte>(text.size()));
  for (const char c : text) payload.push_back(static_cast<std::byte>(c));
}

void AppendLine(std::vector<std::byte>& payload, std::string_view prefix, std::string_view line) {
  const std::string text = Printable(line);
  const std::size_t room = kMaxRecordBytes - prefix.size();
  for (std::size_t at = 0; at < text.size(); at += room) {
    AppendRecord(payload, std::string(prefix) + text.substr(at, room));
  }
}

}  // namespace

void AppendLog(std::vector<std::byte>& payload, LogLevel level, std::string_view text) {
  const std::string_view prefix = kPrefixes[std::clamp(static_cast<int>(level), 0, 3)].second;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    AppendLine(payload, prefix, line.substr(0, line.find_last_not_of('\r') + 1));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

std::vector<LogRecord> DecodeLogs(ConstBytes payload) {
  std::vector<LogRecord> records;
  while (!payload.empty()) {
    const auto claimed = std::to_integer<std::size_t>(payload.front());
    payload = payload.subspan(1);
    const std::size_t size = std::min(claimed, payload.size());
    LogRecord record;
    record.text.reserve(size);
    for (const std::byte byte : payload.first(size)) {
      const auto c = std::to_integer<unsigned char>(byte);
      record.text += IsPrintable(c) ? static_cast<char>(c) : '?';
    }
    payload = payload.subspan(size);
    for (const auto& [level, prefix] : kPrefixes) {
      if (!record.text.starts_with(prefix)) continue;
      record.level = level;
      record.text.erase(0, prefix.size());
      break;
    }
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace kenning::wire
