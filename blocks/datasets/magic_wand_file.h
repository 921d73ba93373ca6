// SPDX-License-Identifier: Apache-2.0
/// \file
/// The text files of the magic wand data set: recordings of three acceleration values a line.
#pragma once

#include <array>
#include <filesystem>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

using Reading = std::array<float, 3>;
using Recording = std::vector<Reading>;

/// Recordings of one file, in order. A line "-,-,-" begins a recording; the last one ends with the
/// file. Blank lines and empty recordings are left out.
/// \return kNotFound, kInvalidData naming file and line, kResourceExhausted above 256 MiB.
Result<std::vector<Recording>> ReadMagicWandFile(const std::filesystem::path& path);

/// Windows of `size` readings, `shift` apart. A recording shorter than a window is padded at both
/// ends with its first and last reading, plus noise of `noise_level` (peak to peak) from `seed`.
/// What remains at the end of a longer one, shorter than a window, is left out.
std::vector<Recording> CutWindows(const Recording& recording, std::size_t size, std::size_t shift,
                                  int noise_level, std::uint64_t seed);

}  // namespace kenning
