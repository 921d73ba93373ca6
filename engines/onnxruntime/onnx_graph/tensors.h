// SPDX-License-Identifier: Apache-2.0
/// \file
/// TensorProto: sizes, checks, and values as plain vectors. No files.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/dtype.h"
#include "onnx/onnx.pb.h"

namespace kenning::onnx_graph {

/// kenning's type for an ONNX type; empty where kenning has none (complex, 4 and 8-bit floats, …).
std::optional<DType> DTypeOf(int onnx_type);
/// "FLOAT", "INT4", or "type 99".
std::string OnnxTypeName(int onnx_type);
/// Bits of one element; 0 for strings; empty for undefined or unknown types.
std::optional<unsigned> BitsOf(int onnx_type);

/// Product of the dimensions. \return kInvalidModel on a negative dimension or an overflow.
Result<std::uint64_t> ElementCountOf(const onnx::TensorProto& tensor);
/// Bytes that `raw_data` must hold.
Result<std::uint64_t> RawBytesOf(const onnx::TensorProto& tensor);
/// Dimensions, type and amount of data agree. External tensors: dimensions and type only.
Result<> CheckTensor(const onnx::TensorProto& tensor);

/// Values of a FLOAT, FLOAT16 or DOUBLE tensor that has passed CheckTensor and is not external.
Result<std::vector<float>> FloatsOf(const onnx::TensorProto& tensor);
/// Values of a tensor of (U)INT8, (U)INT16, INT32 or INT64 under the same conditions.
Result<std::vector<std::int64_t>> IntsOf(const onnx::TensorProto& tensor);

std::vector<std::int64_t> DimsOf(const onnx::TensorProto& tensor);
onnx::TensorProto MakeFloatTensor(const std::string& name, std::span<const std::int64_t> dims,
                                  std::span<const float> values);
/// A tensor of another type from its little-endian bytes.
onnx::TensorProto MakeRawTensor(const std::string& name, int onnx_type,
                                std::span<const std::int64_t> dims, const void* data,
                                std::size_t size_bytes);

}  // namespace kenning::onnx_graph
