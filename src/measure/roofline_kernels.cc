// SPDX-License-Identifier: Apache-2.0
#include "measure/roofline_kernels.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace kenning::roofline {
namespace {

// Independent sums hide the latency of a multiply-add: 4 to 5 cycles on 2 ports need at least 10.
constexpr int kSums = 12;

/// Results go here, so that no loop is optimised away; each thread has its own.
thread_local volatile float g_float_sink = 0;
thread_local volatile std::int64_t g_int_sink = 0;
/// Factors that the compiler cannot know.
volatile float g_float_factor = 0.5F;
volatile int g_int_factor = 3;

bool Has(const std::vector<std::string>& features, std::string_view name) {
  return std::ranges::find(features, name) != features.end();
}

void PlainFloat(std::int64_t rounds) {
  const float factor = g_float_factor;
  float sums[4 * kSums] = {};
  for (std::int64_t r = 0; r < rounds; ++r) {
    for (float& sum : sums) sum = sum * factor + factor;
  }
  for (const float sum : sums) g_float_sink = sum;
}

void PlainInt8(std::int64_t rounds) {
  const auto factor = static_cast<std::int8_t>(g_int_factor);
  std::int32_t sums[4 * kSums] = {};
  for (std::int64_t r = 0; r < rounds; ++r) {
    for (std::int32_t& sum : sums) {
      sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) ^
                                      static_cast<std::uint32_t>(factor * (sum & 0x7F)));
    }
  }
  for (const std::int32_t sum : sums) g_int_sink = sum;
}

void PlainRead(const std::byte* data, std::size_t bytes) {
  const auto* words = reinterpret_cast<const std::uint64_t*>(data);
  std::uint64_t sums[8] = {};
  for (std::size_t i = 0; i + 8 <= bytes / 8; i += 8) {
    for (std::size_t k = 0; k < 8; ++k) sums[k] ^= words[i + k];
  }
  for (const std::uint64_t sum : sums) g_int_sink = static_cast<std::int64_t>(sum);
}

#if defined(__x86_64__)

/// Through memory: GCC 12 warns wrongly of its own casts between vectors.
template <typename T, typename Vector>
T FirstOf(const Vector& vector) {
  T first;
  std::memcpy(&first, &vector, sizeof(T));
  return first;
}

#define KENNING_TARGET(features) __attribute__((target(features)))

KENNING_TARGET("avx512f") void FloatAvx512(std::int64_t rounds) {
  const __m512 factor = _mm512_set1_ps(g_float_factor);
  __m512 sums[kSums];
  for (__m512& sum : sums) sum = factor;
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_fmadd_ps(sums[i], factor, factor);
  }
  __m512 all = sums[0];
  for (int i = 1; i < kSums; ++i) all = _mm512_add_ps(all, sums[i]);
  g_float_sink = FirstOf<float>(all);
}

KENNING_TARGET("avx2,fma") void FloatAvx2(std::int64_t rounds) {
  const __m256 factor = _mm256_set1_ps(g_float_factor);
  __m256 sums[kSums];
  for (__m256& sum : sums) sum = factor;
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_fmadd_ps(sums[i], factor, factor);
  }
  __m256 all = sums[0];
  for (int i = 1; i < kSums; ++i) all = _mm256_add_ps(all, sums[i]);
  g_float_sink = FirstOf<float>(all);
}

KENNING_TARGET("avx512f,avx512vnni") void Int8Avx512Vnni(std::int64_t rounds) {
  const __m512i factor = _mm512_set1_epi8(static_cast<char>(g_int_factor));
  __m512i sums[kSums];
  for (__m512i& sum : sums) sum = factor;
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm512_dpbusd_epi32(sums[i], factor, factor);
  }
  __m512i all = sums[0];
  for (int i = 1; i < kSums; ++i) all = _mm512_xor_si512(all, sums[i]);
  g_int_sink = FirstOf<std::int32_t>(all);
}

KENNING_TARGET("avx2,avxvnni") void Int8AvxVnni(std::int64_t rounds) {
  const __m256i factor = _mm256_set1_epi8(static_cast<char>(g_int_factor));
  __m256i sums[kSums];
  for (__m256i& sum : sums) sum = factor;
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = _mm256_dpbusd_avx_epi32(sums[i], factor, factor);
  }
  __m256i all = sums[0];
  for (int i = 1; i < kSums; ++i) all = _mm256_xor_si256(all, sums[i]);
  g_int_sink = FirstOf<std::int32_t>(all);
}

/// As kernels do it without VNNI: bytes to 16 bits, 16 to 32, and a sum.
KENNING_TARGET("avx2") void Int8Avx2(std::int64_t rounds) {
  const __m256i factor = _mm256_set1_epi8(static_cast<char>(g_int_factor));
  const __m256i ones = _mm256_set1_epi16(1);
  __m256i sums[kSums];
  for (__m256i& sum : sums) sum = factor;
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) {
      // Else the product would be computed once for all sums and rounds.
      __m256i bytes = factor;
      __asm__ volatile("" : "+x"(bytes));
      const __m256i pairs = _mm256_maddubs_epi16(bytes, factor);
      sums[i] = _mm256_add_epi32(sums[i], _mm256_madd_epi16(pairs, ones));
    }
  }
  __m256i all = sums[0];
  for (int i = 1; i < kSums; ++i) all = _mm256_xor_si256(all, sums[i]);
  g_int_sink = FirstOf<std::int32_t>(all);
}

KENNING_TARGET("avx2") void ReadAvx2(const std::byte* data, std::size_t bytes) {
  const auto* vectors = reinterpret_cast<const __m256i*>(data);
  __m256i sums[8];
  for (__m256i& sum : sums) sum = _mm256_setzero_si256();
  for (std::size_t i = 0; i + 8 <= bytes / 32; i += 8) {
#pragma GCC unroll 8
    for (std::size_t k = 0; k < 8; ++k) {
      sums[k] = _mm256_xor_si256(sums[k], _mm256_load_si256(vectors + i + k));
    }
  }
  __m256i all = sums[0];
  for (int i = 1; i < 8; ++i) all = _mm256_xor_si256(all, sums[i]);
  g_int_sink = FirstOf<std::int32_t>(all);
}

#elif defined(__aarch64__)

void FloatNeon(std::int64_t rounds) {
  const float32x4_t factor = vdupq_n_f32(g_float_factor);
  float32x4_t sums[kSums];
  for (float32x4_t& sum : sums) sum = factor;
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = vfmaq_f32(factor, sums[i], factor);
  }
  for (const float32x4_t sum : sums) g_float_sink = vgetq_lane_f32(sum, 0);
}

__attribute__((target("arch=armv8.2-a+dotprod"))) void Int8Neon(std::int64_t rounds) {
  const int8x16_t factor = vdupq_n_s8(static_cast<std::int8_t>(g_int_factor));
  int32x4_t sums[kSums];
  for (int32x4_t& sum : sums) sum = vdupq_n_s32(1);
  for (std::int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = vdotq_s32(sums[i], factor, factor);
  }
  for (const int32x4_t sum : sums) g_int_sink = vgetq_lane_s32(sum, 0);
}

#endif

}  // namespace

ComputeKernel Float32Kernel(const std::vector<std::string>& features) {
#if defined(__x86_64__)
  if (Has(features, "avx512f")) return {"AVX-512 FMA", FloatAvx512, 16 * kSums};
  if (Has(features, "avx2") && Has(features, "fma")) return {"AVX2 FMA", FloatAvx2, 8 * kSums};
#elif defined(__aarch64__)
  if (Has(features, "asimd")) return {"Neon FMA", FloatNeon, 4 * kSums};
#endif
  static_cast<void>(features);
  return {"plain C++", PlainFloat, 4 * kSums};
}

ComputeKernel Int8Kernel(const std::vector<std::string>& features) {
#if defined(__x86_64__)
  if (Has(features, "avx512f") && Has(features, "avx512_vnni")) {
    return {"AVX-512 VNNI", Int8Avx512Vnni, 64 * kSums};
  }
  if (Has(features, "avx2") && Has(features, "avx_vnni")) {
    return {"AVX VNNI", Int8AvxVnni, 32 * kSums};
  }
  if (Has(features, "avx2")) return {"AVX2 without VNNI", Int8Avx2, 32 * kSums};
#elif defined(__aarch64__)
  if (Has(features, "asimddp")) return {"Neon dot product", Int8Neon, 16 * kSums};
#endif
  static_cast<void>(features);
  return {"plain C++", PlainInt8, 4 * kSums};
}

ReadLoop ReadKernel(const std::vector<std::string>& features) {
#if defined(__x86_64__)
  if (Has(features, "avx2")) return ReadAvx2;
#endif
  static_cast<void>(features);
  return PlainRead;
}

}  // namespace kenning::roofline
