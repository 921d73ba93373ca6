// SPDX-License-Identifier: Apache-2.0
/// \file
/// The payload of LOGS: records of one length byte and that many bytes of ASCII. A record is a line
/// like " [INFO] Loading model".
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/log.h"
#include "kenning/core/transport.h"

namespace kenning::wire {

struct LogRecord {
  LogLevel level = LogLevel::kInfo;
  std::string text;
  bool operator==(const LogRecord&) const = default;
};

/// Appends one message to a payload. Lines become records of their own, a line of more than 255
/// bytes several; what is not printable ASCII becomes '?' (one for each UTF-8 character), because
/// Kenning's client fails on it. Nothing for an empty text.
void AppendLog(std::vector<std::byte>& payload, LogLevel level, std::string_view text);

/// Records of a payload. Never fails: a record that claims more bytes than there are gets those
/// that are there, unprintable bytes become '?', and a text without a level is kInfo.
std::vector<LogRecord> DecodeLogs(ConstBytes payload);

}  // namespace kenning::wire
