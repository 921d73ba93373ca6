// SPDX-License-Identifier: Apache-2.0
/// \file
/// What proving a shared secret takes. The cryptography is OpenSSL's.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "kenning/base/digest.h"

namespace kenning {

/// HMAC-SHA256 (RFC 2104) of `bytes` under `key`.
Digest HmacSha256(std::string_view key, std::span<const std::byte> bytes);
/// Compares in a time that does not tell where two values differ. Different sizes are unequal.
bool EqualInConstantTime(std::span<const std::byte> a, std::span<const std::byte> b);
/// Fills `out` from the system's source of secure random bytes.
void FillRandom(std::span<std::byte> out);

}  // namespace kenning
