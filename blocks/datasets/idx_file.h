// SPDX-License-Identifier: Apache-2.0
/// \file
/// IDX files (the format of MNIST): a checked header, then bytes.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

struct IdxFile {
  std::vector<std::uint32_t> dims;
  std::string bytes;            ///< The whole file, unpacked.
  std::size_t data_offset = 0;  ///< Where values begin in `bytes`.
  const unsigned char* data() const {
    return reinterpret_cast<const unsigned char*>(bytes.data()) + data_offset;
  }
};

/// Reads a gzip-compressed IDX file of unsigned bytes with `rank` dimensions.
/// \return kNotFound; kInvalidData where the magic number, the rank or the length is wrong.
Result<IdxFile> ReadIdxGz(const std::filesystem::path& path, std::size_t rank,
                          std::uint64_t max_bytes);

}  // namespace kenning
