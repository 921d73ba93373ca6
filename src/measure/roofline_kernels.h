// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inner loops of the roofline. Private to src/measure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kenning::roofline {

/// Runs `rounds` rounds on registers alone.
using ComputeLoop = void (*)(std::int64_t rounds);
struct ComputeKernel {
  std::string name;
  ComputeLoop run = nullptr;
  std::int64_t macs_per_round = 0;
};
/// The best that the features allow.
ComputeKernel Float32Kernel(const std::vector<std::string>& features);
ComputeKernel Int8Kernel(const std::vector<std::string>& features);

/// Reads memory once, front to back.
using ReadLoop = void (*)(const std::byte* data, std::size_t bytes);
ReadLoop ReadKernel(const std::vector<std::string>& features);

}  // namespace kenning::roofline
