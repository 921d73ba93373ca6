// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kenning's IO specification, the file `<model>.json` beside a model (docs/formats/io-spec.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning {

/// The file's text: keys input, processed_input, output, processed_output.
std::string ModelSpecToJson(const ModelSpec& spec);

/// Reads what Kenning or this project wrote. Where a shape is a list of alternatives, the first is
/// taken; a scalar scale or zero_point is per tensor. \return kInvalidData naming file and key.
Result<ModelSpec> ModelSpecFromJson(std::string_view text, const std::string& file_name);

/// The same from a file of at most 16 MiB.
Result<ModelSpec> LoadModelSpec(const std::filesystem::path& path);

}  // namespace kenning
