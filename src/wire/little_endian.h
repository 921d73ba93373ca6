// SPDX-License-Identifier: Apache-2.0
/// \file
/// Integers in the wire's byte order, at any address.
#pragma once

#include <cstddef>
#include <type_traits>

namespace kenning::wire {

template <typename Int>
void StoreLe(std::byte* at, Int value) {
  const auto bits = static_cast<std::make_unsigned_t<Int>>(value);
  for (std::size_t i = 0; i < sizeof(Int); ++i) at[i] = static_cast<std::byte>(bits >> (8 * i));
}

template <typename Int>
Int LoadLe(const std::byte* at) {
  using Bits = std::make_unsigned_t<Int>;
  Bits bits = 0;
  for (std::size_t i = 0; i < sizeof(Int); ++i) {
    bits = static_cast<Bits>(bits | static_cast<Bits>(std::to_integer<Bits>(at[i]) << (8 * i)));
  }
  return static_cast<Int>(bits);
}

}  // namespace kenning::wire
