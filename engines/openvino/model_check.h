// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is checked of a model before OpenVINO sees it: sizes, the outer structure, and that nothing
/// outside the model's own folder is read.
#pragma once

#include <filesystem>
#include <string_view>

#include "kenning/base/result.h"

namespace kenning::openvino {

/// \return kNotFound, kUnsupported (a format that this engine does not read), kInvalidModel.
Result<> CheckModel(const std::filesystem::path& path, std::string_view format);

/// The protobuf of an ONNX model: messages within their bounds, tensors whose data fit their
/// dimensions, external data in regular files below `folder`. \return kInvalidModel.
Result<> CheckOnnxBytes(std::string_view bytes, const std::filesystem::path& folder);

}  // namespace kenning::openvino
