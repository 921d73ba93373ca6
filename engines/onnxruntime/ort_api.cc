// SPDX-License-Identifier: Apache-2.0
#include "ort_api.h"

#include <fmt/format.h>

#include <array>

namespace kenning::ort {
namespace {

constexpr std::array<std::pair<DType, ONNXTensorElementDataType>, 13> kTypes = {{
    {DType::kFloat32, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT},
    {DType::kFloat64, ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE},
    {DType::kFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16},
    {DType::kBFloat16, ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16},
    {DType::kInt8, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8},
    {DType::kUint8, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8},
    {DType::kInt16, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16},
    {DType::kUint16, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16},
    {DType::kInt32, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32},
    {DType::kUint32, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT32},
    {DType::kInt64, ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64},
    {DType::kUint64, ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT64},
    {DType::kBool, ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL},
}};

}  // namespace

Ort::Env& Environment() {
  static Ort::Env env(ORT_LOGGING_LEVEL_FATAL, "kenning");
  return env;
}

std::string Version() { return Ort::GetVersionString(); }

std::optional<DType> FromOnnxType(ONNXTensorElementDataType type) {
  for (const auto& [dtype, onnx] : kTypes) {
    if (onnx == type) return dtype;
  }
  return std::nullopt;
}

ONNXTensorElementDataType ToOnnxType(DType dtype) {
  for (const auto& [ours, onnx] : kTypes) {
    if (ours == dtype) return onnx;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

GraphOptimizationLevel ParseGraphLevel(const std::string& level) {
  if (level == "disabled") return ORT_DISABLE_ALL;
  if (level == "basic") return ORT_ENABLE_BASIC;
  if (level == "extended") return ORT_ENABLE_EXTENDED;
  return ORT_ENABLE_ALL;
}

Error ConvertError(const Ort::Exception& exception, const std::filesystem::path& file) {
  ErrorCode code = ErrorCode::kEngineFailure;
  switch (exception.GetOrtErrorCode()) {
    case ORT_NO_SUCHFILE:
      code = ErrorCode::kNotFound;
      break;
    case ORT_NO_MODEL:
    case ORT_INVALID_PROTOBUF:
    case ORT_INVALID_GRAPH:
      code = ErrorCode::kInvalidModel;
      break;
    case ORT_NOT_IMPLEMENTED:
      code = ErrorCode::kUnsupported;
      break;
    default:
      break;
  }
  return {code, fmt::format("{}: ONNX Runtime {}: {}", file.string(), Version(), exception.what())};
}

}  // namespace kenning::ort
