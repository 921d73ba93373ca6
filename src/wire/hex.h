// SPDX-License-Identifier: Apache-2.0
/// \file
/// Hexadecimal text of SHA-256 values and nonces.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kenning/base/secret.h"

namespace kenning::wire {

/// Lower-case digits.
std::string ToHex(std::span<const std::byte> bytes);
/// Of exactly 64 lower-case digits; empty for anything else, so that a peer's text that passes is
/// safe in a file name.
std::optional<Digest> DigestFromHex(std::string_view text);

}  // namespace kenning::wire
