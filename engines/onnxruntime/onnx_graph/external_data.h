// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tensor data outside of the model file. Private to onnx_graph. A path is taken from a hostile
/// file: it may lead to regular files below the model's folder and nowhere else.
#pragma once

#include <filesystem>

#include "kenning/base/result.h"
#include "onnx/onnx.pb.h"

namespace kenning::onnx_graph {

enum class ExternalData { kCheck, kLoad };

/// Checks (or loads, which moves the data into raw_data) every external tensor of the graph.
/// `used_bytes`, the size of the model file, counts towards kMaxModelBytes.
/// \return kInvalidModel on a refused path or wrong sizes, kNotFound, kResourceExhausted.
Result<> ResolveExternalData(onnx::GraphProto& graph, const std::filesystem::path& base_folder,
                             ExternalData mode, std::uint64_t used_bytes);

/// kInvalidModel naming the first external tensor, if there is one.
Result<> RefuseExternalData(onnx::GraphProto& graph);

}  // namespace kenning::onnx_graph
