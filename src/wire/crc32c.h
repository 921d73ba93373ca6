// SPDX-License-Identifier: Apache-2.0
/// \file
/// The ways in which Crc32c (wire/native.h) is computed, so that tests can compare them.
#pragma once

#include <cstdint>

#include "kenning/core/transport.h"

namespace kenning::wire {

enum class CrcWay : std::uint8_t {
  kTables,        ///< Eight tables, eight bytes a step. On every processor.
  kInstructions,  ///< Three interleaved streams of the processor's CRC32C instruction.
};

/// Whether this processor has the instructions.
bool HasCrcInstructions();
/// \pre the processor has that way.
std::uint32_t Crc32cBy(CrcWay way, ConstBytes bytes, std::uint32_t crc = 0);

}  // namespace kenning::wire
