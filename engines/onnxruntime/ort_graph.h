// SPDX-License-Identifier: Apache-2.0
/// \file
/// The operators of an ONNX file: types, sizes, multiply-adds, and what engines compute in int8.
#pragma once

#include <filesystem>

#include "kenning/base/result.h"
#include "kenning/core/graph_info.h"

namespace kenning::ort {

/// Operators that depend on the model's inputs; what engines fold when they load a model (weights
/// that are dequantised, shapes of constants) counts as weights of the operator that reads it.
/// \return kInvalidModel, kNotFound, kUnsupported, as of a session.
Result<GraphInfo> ReadGraph(const std::filesystem::path& path);

}  // namespace kenning::ort
