// SPDX-License-Identifier: Apache-2.0
/// \file
/// requirements.lock: every package of a toolchain with its version and the SHA-256 of its files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"

namespace kenning {

struct LockedPackage {
  std::string name;     ///< As written.
  std::string version;  ///< Exact.
  std::string line;     ///< For pip: "name==version --hash=sha256:… --hash=sha256:…".
};

/// Lines may be continued with a backslash; comments start with #. \return kInvalidData naming the
/// line where a package has no exact version or no SHA-256.
Result<std::vector<LockedPackage>> ParseLockFile(std::string_view text,
                                                 const std::string& file_name);

/// A package's name in one spelling: lower case, runs of "-", "_" and "." as one "-".
std::string NormalPackageName(std::string_view name);

}  // namespace kenning
