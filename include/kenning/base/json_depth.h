// SPDX-License-Identifier: Apache-2.0
/// \file
/// A check of JSON texts from strangers.
#pragma once

#include <cstddef>
#include <string_view>

namespace kenning {

/// Whether the arrays and objects of a JSON text lie at most `levels` within each other. Libraries
/// copy, write and free such values by recursion, so a stranger's text is asked this before it is
/// parsed. Says nothing of whether the text is JSON.
bool NestsAtMost(std::string_view json, std::size_t levels = 64);

}  // namespace kenning
