// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model file with its contract and its history.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "kenning/core/tensor_spec.h"

namespace kenning {

/// What one optimizer did. Appended by the optimizer, never edited.
struct ProvenanceStep {
  std::string block;      ///< Canonical block name, e.g. "ONNXQuantizer".
  std::string framework;  ///< e.g. "onnxruntime".
  std::string version;
  std::map<std::string, std::string> parameters;
  std::vector<std::string>
      notes;  ///< Decisions worth showing: "7-bit weights in 12 of 53 layers: …".
  double duration_s = 0;
  std::string finished_at;  ///< UTC, ISO 8601.
};

/// Immutable once made. `format` is one of the names of docs/formats/model-formats.md: "onnx",
/// "tflite", "keras", …
struct ModelArtifact {
  std::filesystem::path path;
  std::string format;
  ModelSpec spec;
  std::string sha256;
  std::uint64_t size_bytes = 0;
  std::vector<ProvenanceStep> provenance;
};

}  // namespace kenning
