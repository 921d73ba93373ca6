// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which format a model has, by its bytes alone: Kenning's protocol sends no name.
#pragma once

#include <filesystem>
#include <string>

#include "kenning/base/result.h"

namespace kenning::target {

/// One of the names of docs/formats/model-formats.md, for a file of any content; a tar archive of a
/// folder has the format of what is in it. Reads little and trusts nothing.
/// \return kInvalidModel saying what is recognised, kUnsupported for what is known but cannot be
/// run from one file (a graph of OpenVINO without its weights), kIo.
Result<std::string> RecogniseFormat(const std::filesystem::path& path);

/// Whether the model is a folder that travels as a tar archive.
bool TravelsAsArchive(const std::filesystem::path& path, const std::string& format);

}  // namespace kenning::target
