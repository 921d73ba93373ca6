// SPDX-License-Identifier: Apache-2.0
#include "wire/crc32c.h"

#include <array>
#include <bit>
#include <cstring>

#include "wire/native.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#define KENNING_CRC_TARGET __attribute__((target("sse4.2")))
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define KENNING_CRC_TARGET __attribute__((target("+crc")))
#endif

namespace kenning::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "words are read as little-endian");

// The polynomial 0x1EDC6F41 with its bits in reverse: bit 31 is the coefficient of x^0.
constexpr std::uint32_t kPolynomial = 0x82F63B78;
constexpr std::uint32_t kOne = 0x80000000;

using Table = std::array<std::uint32_t, 256>;

std::uint64_t WordAt(const std::byte* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

constexpr std::uint32_t TimesX(std::uint32_t a) { return (a >> 1) ^ ((a & 1) ? kPolynomial : 0); }

// Table k gives what one byte becomes once it and k zero bytes after it have gone through.
constexpr std::array<Table, 8> MakeByteTables() {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = TimesX(crc);
    tables[0][byte] = crc;
  }
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    for (std::size_t k = 1; k < 8; ++k) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}
constexpr std::array<Table, 8> kByteTables = MakeByteTables();

std::uint32_t ByTables(const std::byte* p, std::size_t size, std::uint32_t crc) {
  const auto& t = kByteTables;
  for (; size >= 8; p += 8, size -= 8) {
    const std::uint64_t w = WordAt(p) ^ crc;
    crc = t[7][w & 0xFF] ^ t[6][(w >> 8) & 0xFF] ^ t[5][(w >> 16) & 0xFF] ^ t[4][(w >> 24) & 0xFF] ^
          t[3][(w >> 32) & 0xFF] ^ t[2][(w >> 40) & 0xFF] ^ t[1][(w >> 48) & 0xFF] ^ t[0][w >> 56];
  }
  for (; size > 0; ++p, --size) {
    crc = (crc >> 8) ^ t[0][(crc ^ std::to_integer<std::uint32_t>(*p)) & 0xFF];
  }
  return crc;
}

#ifdef KENNING_CRC_TARGET

constexpr std::uint32_t Multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = kOne; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = TimesX(b);
  }
  return product;
}

constexpr std::uint32_t XToThe(std::uint64_t power) {
  std::uint32_t result = kOne;
  std::uint32_t square = kOne >> 1;  // x
  for (; power != 0; power >>= 1) {
    if (power & 1) result = Multiply(result, square);
    square = Multiply(square, square);
  }
  return result;
}

// What a CRC becomes after that many zero bytes: a linear map, by the four bytes of the CRC.
constexpr std::array<Table, 4> MakeShift(std::size_t zero_bytes) {
  const std::uint32_t factor = XToThe(8 * zero_bytes);
  std::array<Table, 4> tables{};
  for (std::size_t k = 0; k < 4; ++k) {
    for (std::uint32_t bit = 1; bit < 256; bit <<= 1) {
      const std::uint32_t shifted = Multiply(factor, bit << (8 * k));
      for (std::uint32_t low = 0; low < bit; ++low) tables[k][bit + low] = tables[k][low] ^ shifted;
    }
  }
  return tables;
}

// Three streams hide the latency of the instruction; the shifts join them.
constexpr std::size_t kLong = 4096;
constexpr std::size_t kShort = 256;
constexpr std::array<Table, 4> kLongShift = MakeShift(kLong);
constexpr std::array<Table, 4> kShortShift = MakeShift(kShort);

std::uint32_t Shift(const std::array<Table, 4>& t, std::uint32_t crc) {
  return t[0][crc & 0xFF] ^ t[1][(crc >> 8) & 0xFF] ^ t[2][(crc >> 16) & 0xFF] ^ t[3][crc >> 24];
}

KENNING_CRC_TARGET inline std::uint64_t Step8(std::uint64_t crc, std::uint64_t word) {
#if defined(__x86_64__)
  return _mm_crc32_u64(crc, word);
#else
  return __crc32cd(static_cast<std::uint32_t>(crc), word);
#endif
}

KENNING_CRC_TARGET inline std::uint32_t Step1(std::uint32_t crc, std::byte byte) {
#if defined(__x86_64__)
  return _mm_crc32_u8(crc, std::to_integer<std::uint8_t>(byte));
#else
  return __crc32cb(crc, std::to_integer<std::uint8_t>(byte));
#endif
}

// Eats as many triples of `block` bytes as there are.
template <std::size_t block>
KENNING_CRC_TARGET std::uint32_t Triples(const std::byte*& p, std::size_t& size, std::uint32_t crc,
                                         const std::array<Table, 4>& shift) {
  for (; size >= 3 * block; p += 3 * block, size -= 3 * block) {
    std::uint64_t a = crc;
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    for (std::size_t i = 0; i < block; i += 8) {
      a = Step8(a, WordAt(p + i));
      b = Step8(b, WordAt(p + block + i));
      c = Step8(c, WordAt(p + 2 * block + i));
    }
    crc = Shift(shift, static_cast<std::uint32_t>(a)) ^ static_cast<std::uint32_t>(b);
    crc = Shift(shift, crc) ^ static_cast<std::uint32_t>(c);
  }
  return crc;
}

KENNING_CRC_TARGET std::uint32_t ByInstructions(const std::byte* p, std::size_t size,
                                                std::uint32_t crc) {
  crc = Triples<kLong>(p, size, crc, kLongShift);
  crc = Triples<kShort>(p, size, crc, kShortShift);
  for (; size >= 8; p += 8, size -= 8) crc = static_cast<std::uint32_t>(Step8(crc, WordAt(p)));
  for (; size > 0; ++p, --size) crc = Step1(crc, *p);
  return crc;
}

#else

std::uint32_t ByInstructions(const std::byte* p, std::size_t size, std::uint32_t crc) {
  return ByTables(p, size, crc);
}

#endif

}  // namespace

bool HasCrcInstructions() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("sse4.2") != 0;
#elif defined(KENNING_CRC_TARGET)
  return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#else
  return false;
#endif
}

std::uint32_t Crc32cBy(CrcWay way, ConstBytes bytes, std::uint32_t crc) {
  return way == CrcWay::kTables ? ~ByTables(bytes.data(), bytes.size(), ~crc)
                                : ~ByInstructions(bytes.data(), bytes.size(), ~crc);
}

std::uint32_t Crc32c(ConstBytes bytes, std::uint32_t crc) {
  static const CrcWay way = HasCrcInstructions() ? CrcWay::kInstructions : CrcWay::kTables;
  return Crc32cBy(way, bytes, crc);
}

}  // namespace kenning::wire
