// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reader of NumPy's .npy files, versions 1 to 3: dense arrays in C order.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning {

struct NumpyArray {
  Shape shape;
  std::vector<float> values;
};

/// Little-endian floats of 4 or 8 bytes and integers of 1 to 8 bytes, as floats.
/// \return kInvalidData naming the file; kNotFound; kResourceExhausted above 4 GiB.
Result<NumpyArray> ReadNumpyFile(const std::filesystem::path& path);
/// The same from memory.
Result<NumpyArray> ParseNumpy(std::string_view bytes, const std::string& file_name);

}  // namespace kenning
