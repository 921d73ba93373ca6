// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text from a peer, made fit for a terminal and for JSON.
#pragma once

#include <string>
#include <string_view>

namespace kenning::wire {

/// The text as valid UTF-8 without control characters (line feeds stay), each replaced by '?'; what
/// is longer than `most` bytes is cut at a character's border and ends with "…".
std::string CleanText(std::string_view text, std::size_t most = 4096);

}  // namespace kenning::wire
