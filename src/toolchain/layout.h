// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where things lie in a toolchain's folder.
#pragma once

#include <filesystem>

namespace kenning {

/// Written last: it makes a toolchain whole. JSON, with the versions that were installed.
std::filesystem::path ToolchainMark(const std::filesystem::path& folder);
std::filesystem::path ToolchainPython(const std::filesystem::path& folder);

}  // namespace kenning
