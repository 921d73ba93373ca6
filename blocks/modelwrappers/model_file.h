// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a `model_path` to a described artifact; shared by all wrappers.
#pragma once

#include <string>
#include <vector>

#include "kenning/registry/registry.h"

namespace kenning {

/// The format that `uri` names. One of `formats`, or any that is known where that is empty; where
/// `formats` has a single one, the path need not tell it.
/// \return kInvalidScenario naming the formats that fit.
Result<std::string> ModelFormat(const std::string& uri, const std::vector<std::string>& formats,
                                const BlockContext& context);

/// Which framework makes models of a format: "tensorflow" for "keras" and "savedmodel"; the format
/// itself where no name is better.
std::string FrameworkOfFormat(const std::string& format);

/// Resolves `uri`, reads the contract from `<model>.json` where that is there and from the model
/// itself otherwise, and takes the checksum of the file or folder. \return kNotFound,
/// kInvalidModel, kInvalidData.
Result<ModelArtifact> DescribeModelFile(const std::string& uri, const std::string& format,
                                        BlockContext& context);

}  // namespace kenning
