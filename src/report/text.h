// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text of reports: numbers with sensible digits and units, and escaping of names from anywhere.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/statistics.h"

namespace kenning {

/// "0.512 ms", "21.3 µs": three significant digits in the unit that fits.
std::string FormatSeconds(double seconds);
/// "92.31 %".
std::string FormatPercent(double fraction);
/// "+0.12 pp" (percentage points).
std::string FormatPoints(double fraction);
/// "1.83x".
std::string FormatTimes(double factor);

/// For Markdown's running text and table cells: nothing in `text` is taken as markup.
std::string EscapeMarkdown(std::string_view text);
/// For XML text and attribute values. Control characters that XML forbids become spaces.
std::string EscapeXml(std::string_view text);
/// A fenced block that `text` cannot end.
std::string CodeBlock(std::string_view text, std::string_view language);
/// Lower-case letters, digits, dashes and underscores only; for file names. Never empty.
std::string Slug(std::string_view text);

/// A Markdown table; cells must be escaped already.
std::string MarkdownTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace kenning
