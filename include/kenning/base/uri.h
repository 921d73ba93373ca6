// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a URI says, without fetching anything. Downloads and resources are in src/resource.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/result.h"

namespace kenning {

/// The scheme in lower case ("https"); empty for a plain path.
std::string UriScheme(std::string_view uri);

/// "%20" and the like replaced by the characters that they stand for.
std::string PercentDecoded(std::string_view text);

/// "/x" for "file:///x" and "file://localhost/x". \return kInvalidArgument for any other form.
Result<std::filesystem::path> PathOfFileUri(const std::string& uri);

/// Where an output goes: a plain path as it is, or the path of a file:// URI. For parameters like
/// compiled_model_path and save_model_path. \return kInvalidScenario for an empty text, a malformed
/// file:// URI, and every other scheme: nothing can be written there.
Result<std::filesystem::path> OutputPathFromUri(const std::string& uri);

}  // namespace kenning
