// SPDX-License-Identifier: Apache-2.0
/// \file
/// Hexadecimal text of SHA-256 values and nonces, read; ToHex of kenning/base/digest.h writes it.
#pragma once

#include <optional>
#include <string_view>

#include "kenning/base/digest.h"

namespace kenning::wire {

/// Of exactly 64 lower-case digits; empty for anything else, so that a peer's text that passes is
/// safe in a file name.
std::optional<Digest> DigestFromHex(std::string_view text);

}  // namespace kenning::wire
