// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small string helpers shared by error messages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kenning {

/// Number of single-character edits (Levenshtein, with adjacent swaps) between two names.
std::size_t EditDistance(std::string_view a, std::string_view b);

/// The candidates nearest to `name`, best first, at most `limit`, none farther than a third of its
/// length (case-insensitive).
std::vector<std::string> NearestNames(std::string_view name,
                                      std::span<const std::string> candidates,
                                      std::size_t limit = 3);

/// ASCII letters in lower case; other bytes as they are.
std::string ToLower(std::string_view text);

/// "1.5 MB" (powers of 1000).
std::string HumanBytes(std::uint64_t bytes);

/// "a, b, c".
std::string Join(std::span<const std::string> parts, std::string_view separator = ", ");

}  // namespace kenning
