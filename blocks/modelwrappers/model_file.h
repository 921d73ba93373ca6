// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a `model_path` to a described artifact; shared by all wrappers.
#pragma once

#include <string>

#include "kenning/registry/registry.h"

namespace kenning {

/// Resolves `uri`, reads the contract from `<model>.json` where that is there and from the model
/// itself otherwise, and takes the file's checksum. \return kNotFound, kInvalidModel, kInvalidData.
Result<ModelArtifact> DescribeModelFile(const std::string& uri, const std::string& format,
                                        BlockContext& context);

}  // namespace kenning
