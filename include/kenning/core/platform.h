// SPDX-License-Identifier: Apache-2.0
/// \file
/// Platform: the device under test, described. Reading only.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace kenning {

/// Facts about a device, read from it and never assumed; empty where unknown.
struct PlatformInfo {
  std::string name;
  std::string cpu_model;
  std::string architecture;  ///< "x86_64", "aarch64"
  unsigned logical_cores = 0;
  std::vector<std::string> features;  ///< CPU flags that matter to engines: avx2, avx512_vnni, …
  std::uint64_t memory_bytes = 0;
  std::string kernel;
  std::map<std::string, std::string> extra;
};

class Platform {
 public:
  virtual ~Platform() = default;
  virtual const PlatformInfo& info() const = 0;
  /// true where the 8-bit multiply-add of the CPU accumulates into 16 bits and saturates
  /// (x86 with AVX2 or AVX-512 but no VNNI).
  virtual bool saturating_int8() const = 0;
};

}  // namespace kenning
