// SPDX-License-Identifier: Apache-2.0
/// \file
/// Files that nobody but their owner may read: tokens and private keys.
#pragma once

#include <filesystem>
#include <string>

#include "kenning/base/result.h"

namespace kenning {

/// Refuses a file that its group or others can read. \return kNotFound, kInvalidArgument with the
/// command that mends it.
Result<> CheckSecretFile(const std::filesystem::path& path);

/// The text of a secret file without white space around it: at least 16 and at most 4096 bytes.
/// \return as CheckSecretFile, kIo.
Result<std::string> ReadSecretFile(const std::filesystem::path& path);

}  // namespace kenning
