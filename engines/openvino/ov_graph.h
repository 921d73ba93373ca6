// SPDX-License-Identifier: Apache-2.0
/// \file
/// The operators of a model as OpenVINO reads it: types, sizes, multiply-adds, what runs in int8.
#pragma once

#include <filesystem>

#include "kenning/base/result.h"
#include "kenning/core/graph_info.h"

namespace kenning::openvino {

/// Operators that depend on the model's inputs, at batch 1. What brings integer weights back to
/// real values counts as weights of the operator that reads them; arithmetic that is done while the
/// result before it is written has no activation bytes. \return as ReadModel.
Result<GraphInfo> ReadGraph(const std::filesystem::path& path, std::string_view format);

}  // namespace kenning::openvino
