// SPDX-License-Identifier: Apache-2.0
#include "wire/clean_text.h"

#include <cstdint>

namespace kenning::wire {
namespace {

/// Bytes of the valid UTF-8 character that `text` begins with; 0 where there is none.
std::size_t CharacterSize(std::string_view text, std::uint32_t& code_point) {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = at(0);
  const std::size_t size = lead < 0x80   ? 1
                           : lead < 0xC2 ? 0
                           : lead < 0xE0 ? 2
                           : lead < 0xF0 ? 3
                           : lead < 0xF5 ? 4
                                         : 0;
  if (size == 0 || size > text.size()) return 0;
  code_point = size == 1 ? lead : lead & (0x7FU >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0U) != 0x80) return 0;
    code_point = code_point << 6U | (at(i) & 0x3FU);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
  return code_point < kSmallest[size] || code_point > 0x10FFFF || surrogate ? 0 : size;
}

bool IsControl(std::uint32_t code_point) {
  if (code_point == '\n') return false;
  // C0, DEL, C1, and the marks that turn the direction of writing.
  return code_point < 0x20 || (code_point >= 0x7F && code_point < 0xA0) ||
         (code_point >= 0x202A && code_point <= 0x202E) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

}  // namespace

std::string CleanText(std::string_view text, std::size_t most) {
  std::string clean;
  while (!text.empty()) {
    std::uint32_t code_point = 0;
    const std::size_t size = CharacterSize(text, code_point);
    const bool keep = size > 0 && !IsControl(code_point);
    if (clean.size() + (keep ? size : 1) > most) return clean + "…";
    clean += keep ? text.substr(0, size) : "?";
    text.remove_prefix(size == 0 ? 1 : size);
  }
  return clean;
}

}  // namespace kenning::wire
