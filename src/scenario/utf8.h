// SPDX-License-Identifier: Apache-2.0
/// \file
/// Refusal of text that is not UTF-8, before any parser sees it.
#pragma once

#include <optional>
#include <string_view>

#include "scenario/problems.h"

namespace kenning::scenario {

/// Where the first byte stands that is not well-formed UTF-8 (surrogates and overlong forms are
/// not); empty where all is well.
std::optional<Position> FindInvalidUtf8(std::string_view text);

}  // namespace kenning::scenario
