// SPDX-License-Identifier: Apache-2.0
/// \file
/// Puts a model where a runtime wants it, as on a device.
#pragma once

#include "kenning/core/artifact.h"
#include "kenning/registry/registry.h"

namespace kenning {

/// Copies the model's file to `wanted` (a copy of itself is left alone) and writes the facts beside
/// it. `blocks.inspect_model` reads the copy before it gets its name.
/// \return the artifact at its new place; kUnsupported for a model that is not whole in one file
/// (ONNX with external data); kIo, kResourceExhausted.
Result<ModelArtifact> DeployArtifact(ModelArtifact artifact, const std::filesystem::path& wanted,
                                     const BlockContext& blocks);

/// The error of a test whose optimised model is nowhere.
Error OptimisedModelMissing(const std::filesystem::path& path);

}  // namespace kenning
