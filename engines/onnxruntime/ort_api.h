// SPDX-License-Identifier: Apache-2.0
/// \file
/// The border to ONNX Runtime's C++ interface: its exceptions become Errors here and nowhere else.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::ort {

/// The process-wide environment; made on first use, quiet (errors come back as Results).
Ort::Env& Environment();
std::string Version();

/// float32 <-> ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, …; empty for types that kenning does not carry.
std::optional<DType> FromOnnxType(ONNXTensorElementDataType type);
ONNXTensorElementDataType ToOnnxType(DType dtype);

/// "disabled", "basic", "extended", "all" -> the engine's enum.
GraphOptimizationLevel ParseGraphLevel(const std::string& level);

/// ONNX Runtime's error as ours, naming the file. Refused protobufs and graphs are kInvalidModel,
/// missing kernels kUnsupported, the rest kEngineFailure.
Error ConvertError(const Ort::Exception& exception, const std::filesystem::path& file);

/// Calls `function`; an Ort or standard exception becomes an Error that names `file`.
template <typename Function>
auto Guard(const std::filesystem::path& file, Function&& function)
    -> decltype(std::forward<Function>(function)()) {
  try {
    return std::forward<Function>(function)();
  } catch (const Ort::Exception& exception) {
    return Fail(ConvertError(exception, file));
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, "out of memory in ONNX Runtime");
  } catch (const std::exception& exception) {
    return Fail(ErrorCode::kEngineFailure, file.string() + ": " + exception.what());
  }
}

}  // namespace kenning::ort
