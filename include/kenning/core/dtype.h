// SPDX-License-Identifier: Apache-2.0
/// \file
/// Element types of tensors, named as in ONNX and NumPy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kenning {

enum class DType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt8,
  kUint8,
  kInt16,
  kUint16,
  kInt32,
  kUint32,
  kInt64,
  kUint64,
  kBool,
  kString,
};

/// NumPy spelling, e.g. "float32", "int8".
std::string_view DTypeName(DType dtype);
/// Inverse of DTypeName; also accepts "float" and "double".
std::optional<DType> ParseDType(std::string_view name);
/// Bytes of one element; 0 for kString.
std::size_t DTypeSize(DType dtype);

}  // namespace kenning
