// SPDX-License-Identifier: Apache-2.0
/// \file
/// The roofline of this machine: what it computes and moves at best, measured by small loops, and
/// the time below which an operator cannot fall. Knows no engine and no model format.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/core/dtype.h"

namespace kenning {

/// Reading of memory with a working set of so many bytes.
struct MemoryRate {
  std::uint64_t working_set_bytes = 0;
  double bytes_per_s = 0;
};

/// Of `threads` threads together.
struct CpuPeaks {
  int threads = 1;
  double float32_macs_per_s = 0;
  double int8_macs_per_s = 0;
  std::string float32_kernel;      ///< What the loop used: "AVX-512 FMA".
  std::string int8_kernel;         ///< "AVX-512 VNNI", "AVX2 multiply-add of bytes", "plain C++".
  std::vector<MemoryRate> memory;  ///< By growing working set: caches first, main memory last.

  double macs_per_s(DType dtype) const;
  /// Of the smallest measured working set that holds `working_set_bytes`.
  double bytes_per_s(std::uint64_t working_set_bytes) const;
};

/// Takes about a second: each loop runs several times, the best counts, as other work can only
/// slow it down. `features` are the CPU's flags as PlatformInfo names them; instructions that are
/// not among them are not used.
CpuPeaks MeasureCpuPeaks(int threads, const std::vector<std::string>& features);

/// Whether a computation in this type uses 8-bit dot products. All others count as float32.
bool IsInt8(DType dtype);

/// What an operator must do at least.
struct OperatorWork {
  std::uint64_t macs = 0;
  std::uint64_t bytes = 0;  ///< Weights and activations, each once.
  DType dtype = DType::kFloat32;
};
/// The longer of computing at peak and moving the bytes at full rate. 0 where nothing is known.
double LowerBoundSeconds(const OperatorWork& work, const CpuPeaks& peaks,
                         std::uint64_t working_set_bytes);

/// What int8 kernels of this CPU can build on.
struct Int8Support {
  bool dot_product = false;  ///< VNNI, AMX, or Arm's dot product.
  bool saturates = false;    ///< x86 without them: 16-bit sums that can overflow.
  std::string summary;       ///< One sentence for people.
};
Int8Support DescribeInt8Support(std::string_view architecture,
                                const std::vector<std::string>& features);

}  // namespace kenning
