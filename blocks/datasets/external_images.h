// SPDX-License-Identifier: Apache-2.0
/// \file
/// A folder of images without labels: external calibration data.
#pragma once

#include <filesystem>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

/// All images below `folder`, sorted by path, links not followed. \return kNotFound, kInvalidData
/// where there is none.
Result<std::vector<std::filesystem::path>> FindImages(const std::filesystem::path& folder);

}  // namespace kenning
