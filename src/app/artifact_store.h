// SPDX-License-Identifier: Apache-2.0
/// \file
/// Artifacts on disk: the model, its IO specification `<model>.json` (Kenning's format) and its
/// history
/// `<model>.provenance.json`.
#pragma once

#include <filesystem>

#include "kenning/base/result.h"
#include "kenning/core/artifact.h"

namespace kenning {

/// Writes both files beside `artifact.path`, which must exist. An empty spec says nothing and is
/// not written: an IO specification of an earlier model at that place is removed.
Result<> SaveArtifactFacts(const ModelArtifact& artifact);

/// Describes the model at `path`: hash, size, and what the files beside it say. A history whose
/// hash is not the model's is ignored with a warning. `spec` stays empty where there is no
/// `<model>.json`.
Result<ModelArtifact> LoadArtifact(const std::filesystem::path& path, const std::string& format);

/// "<model>.json" and "<model>.provenance.json".
std::filesystem::path IoSpecPath(const std::filesystem::path& model);
std::filesystem::path ProvenancePath(const std::filesystem::path& model);

}  // namespace kenning
