// SPDX-License-Identifier: Apache-2.0
/// \file
/// The C structures that Kenning's UART protocol sends in the place of JSON
/// (docs/formats/wire.md).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/core/tensor_spec.h"
#include "kenning/core/transport.h"

namespace kenning::wire {

inline constexpr std::size_t kUartIoSpecBytes = 356;
using UartIoSpecBytes = std::array<std::byte, kUartIoSpecBytes>;

/// At most 2 inputs and 12 outputs of at most 4 dimensions. Names of tensors are not sent.
struct UartIoSpec {
  ModelSpec spec;  ///< Decoded: inputs and outputs, named "input_0", "output_0", …
  std::string entry_func;
  std::string model_name = "module";
};

/// Inputs as the engine takes them (processed_input before input), outputs from `output`. A
/// dimension of any size becomes 1. \return kUnsupported where the structure cannot hold it.
Result<UartIoSpecBytes> EncodeUartIoSpec(const UartIoSpec& io_spec);
/// The same from the text of `<model>.json`.
Result<UartIoSpecBytes> UartIoSpecFromJson(std::string_view json);
/// \return kInvalidData for another size, or counts, types or dimensions that cannot be.
Result<UartIoSpec> DecodeUartIoSpec(ConstBytes bytes);

enum class UartStatType : std::uint64_t {
  kDefault = 0,
  kAllocation = 1,     ///< Bytes.
  kInferenceTime = 2,  ///< Nanoseconds.
};
struct UartStat {
  std::string name;  ///< At most 32 bytes are sent.
  UartStatType type = UartStatType::kDefault;
  std::uint64_t value = 0;
  bool operator==(const UartStat&) const = default;
};

/// 48 bytes a statistic.
std::vector<std::byte> EncodeUartStats(const std::vector<UartStat>& stats);
/// Also the form of 24 bytes (six u32 of allocations). \return kInvalidData for another size or
/// type.
Result<std::vector<UartStat>> DecodeUartStats(ConstBytes bytes);
/// JSON as Kenning makes it of them: allocations under "allocation_stats", times as lists of
/// seconds.
std::string UartStatsToJson(const std::vector<UartStat>& stats);
/// What of a JSON object has a place in the structure: members of "allocation_stats", whole
/// numbers, and of lists of seconds ("…_step") the last. Anything else is left out.
std::vector<UartStat> UartStatsFromJson(std::string_view json);

}  // namespace kenning::wire
