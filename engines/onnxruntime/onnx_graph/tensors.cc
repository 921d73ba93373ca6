// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/tensors.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace kenning::onnx_graph {
namespace {

using onnx::TensorProto;

struct TypeRow {
  int onnx_type;
  const char* name;
  unsigned bits;
  std::optional<DType> dtype;
};

const std::array<TypeRow, 24>& TypeRows() {
  static const std::array<TypeRow, 24> rows = {{
      {TensorProto::FLOAT, "FLOAT", 32, DType::kFloat32},
      {TensorProto::UINT8, "UINT8", 8, DType::kUint8},
      {TensorProto::INT8, "INT8", 8, DType::kInt8},
      {TensorProto::UINT16, "UINT16", 16, DType::kUint16},
      {TensorProto::INT16, "INT16", 16, DType::kInt16},
      {TensorProto::INT32, "INT32", 32, DType::kInt32},
      {TensorProto::INT64, "INT64", 64, DType::kInt64},
      {TensorProto::STRING, "STRING", 0, DType::kString},
      {TensorProto::BOOL, "BOOL", 8, DType::kBool},
      {TensorProto::FLOAT16, "FLOAT16", 16, DType::kFloat16},
      {TensorProto::DOUBLE, "DOUBLE", 64, DType::kFloat64},
      {TensorProto::UINT32, "UINT32", 32, DType::kUint32},
      {TensorProto::UINT64, "UINT64", 64, DType::kUint64},
      {TensorProto::COMPLEX64, "COMPLEX64", 64, std::nullopt},
      {TensorProto::COMPLEX128, "COMPLEX128", 128, std::nullopt},
      {TensorProto::BFLOAT16, "BFLOAT16", 16, DType::kBFloat16},
      {TensorProto::FLOAT8E4M3FN, "FLOAT8E4M3FN", 8, std::nullopt},
      {TensorProto::FLOAT8E4M3FNUZ, "FLOAT8E4M3FNUZ", 8, std::nullopt},
      {TensorProto::FLOAT8E5M2, "FLOAT8E5M2", 8, std::nullopt},
      {TensorProto::FLOAT8E5M2FNUZ, "FLOAT8E5M2FNUZ", 8, std::nullopt},
      {TensorProto::UINT4, "UINT4", 4, std::nullopt},
      {TensorProto::INT4, "INT4", 4, std::nullopt},
      {TensorProto::FLOAT4E2M1, "FLOAT4E2M1", 4, std::nullopt},
      {TensorProto::FLOAT8E8M0, "FLOAT8E8M0", 8, std::nullopt},
  }};
  return rows;
}

const TypeRow* FindType(int onnx_type) {
  for (const TypeRow& row : TypeRows()) {
    if (row.onnx_type == onnx_type) return &row;
  }
  return nullptr;
}

/// Elements that the typed field of this type must hold for `count` values, and does hold.
struct TypedField {
  std::uint64_t want;
  std::uint64_t have;
};

TypedField TypedFieldOf(const TensorProto& tensor, std::uint64_t count) {
  const auto size = [](int n) { return static_cast<std::uint64_t>(n); };
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return {count, size(tensor.float_data_size())};
    case TensorProto::COMPLEX64:
      return {2 * count, size(tensor.float_data_size())};
    case TensorProto::DOUBLE:
      return {count, size(tensor.double_data_size())};
    case TensorProto::COMPLEX128:
      return {2 * count, size(tensor.double_data_size())};
    case TensorProto::INT64:
      return {count, size(tensor.int64_data_size())};
    case TensorProto::UINT32:
    case TensorProto::UINT64:
      return {count, size(tensor.uint64_data_size())};
    case TensorProto::STRING:
      return {count, size(tensor.string_data_size())};
    case TensorProto::UINT4:
    case TensorProto::INT4:
    case TensorProto::FLOAT4E2M1:
      return {(count + 1) / 2, size(tensor.int32_data_size())};
    default:
      return {count, size(tensor.int32_data_size())};
  }
}

float HalfToFloat(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000U) << 16U;
  const std::uint32_t exponent = (half >> 10U) & 0x1FU;
  const std::uint32_t mantissa = half & 0x3FFU;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24F;
    return sign != 0 ? -value : value;
  }
  const std::uint32_t wide = exponent == 31 ? 255U : exponent + 112U;
  const std::uint32_t bits = sign | (wide << 23U) | (mantissa << 13U);
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

template <typename T>
std::vector<T> Raw(const TensorProto& tensor) {
  std::vector<T> values(tensor.raw_data().size() / sizeof(T));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw_data().data(), values.size() * sizeof(T));
  }
  return values;
}

template <typename To, typename Range>
std::vector<To> Convert(const Range& range) {
  std::vector<To> values;
  values.reserve(static_cast<std::size_t>(range.size()));
  for (const auto value : range) values.push_back(static_cast<To>(value));
  return values;
}

Error WrongType(const TensorProto& tensor, const char* wanted) {
  return {ErrorCode::kUnsupported,
          fmt::format("tensor \"{}\" has type {}; {} is needed here", tensor.name(),
                      OnnxTypeName(tensor.data_type()), wanted)};
}

}  // namespace

std::optional<DType> DTypeOf(int onnx_type) {
  const TypeRow* row = FindType(onnx_type);
  return row == nullptr ? std::nullopt : row->dtype;
}

std::string OnnxTypeName(int onnx_type) {
  const TypeRow* row = FindType(onnx_type);
  return row == nullptr ? fmt::format("type {}", onnx_type) : row->name;
}

std::optional<unsigned> BitsOf(int onnx_type) {
  const TypeRow* row = FindType(onnx_type);
  return row == nullptr ? std::nullopt : std::optional(row->bits);
}

Result<std::uint64_t> ElementCountOf(const TensorProto& tensor) {
  std::uint64_t count = 1;
  bool empty = false;
  for (const std::int64_t dim : tensor.dims()) {
    if (dim < 0) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("tensor \"{}\" has the dimension {}", tensor.name(), dim));
    }
    if (dim == 0) {
      empty = true;
      continue;
    }
    // 2^48 elements are beyond any machine, and leave room for the size in bits.
    if (count > (std::uint64_t{1} << 48U) / static_cast<std::uint64_t>(dim)) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("the dimensions of tensor \"{}\" overflow", tensor.name()));
    }
    count *= static_cast<std::uint64_t>(dim);
  }
  return empty ? 0 : count;
}

Result<std::uint64_t> RawBytesOf(const TensorProto& tensor) {
  const std::optional<unsigned> bits = BitsOf(tensor.data_type());
  if (!bits) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("tensor \"{}\" has the unknown element type {}", tensor.name(),
                            tensor.data_type()));
  }
  if (*bits == 0) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("tensor \"{}\" stores strings as raw bytes", tensor.name()));
  }
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t count, ElementCountOf(tensor));
  return (count * *bits + 7) / 8;
}

Result<> CheckTensor(const TensorProto& tensor) {
  if (!BitsOf(tensor.data_type())) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("tensor \"{}\" has the unknown element type {}", tensor.name(),
                            tensor.data_type()));
  }
  if (tensor.has_segment()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("tensor \"{}\" is stored in segments", tensor.name()));
  }
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t count, ElementCountOf(tensor));
  if (tensor.data_location() == TensorProto::EXTERNAL) return {};
  if (tensor.has_raw_data()) {
    KENNING_ASSIGN_OR_RETURN(const std::uint64_t bytes, RawBytesOf(tensor));
    if (tensor.raw_data().size() == bytes) return {};
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("tensor \"{}\" ({}, {} elements) needs {} bytes of data and has {}",
                            tensor.name(), OnnxTypeName(tensor.data_type()), count, bytes,
                            tensor.raw_data().size()));
  }
  const TypedField field = TypedFieldOf(tensor, count);
  if (field.want == field.have) return {};
  return Fail(
      ErrorCode::kInvalidModel,
      fmt::format("tensor \"{}\" ({}, {} elements) needs {} values and has {}", tensor.name(),
                  OnnxTypeName(tensor.data_type()), count, field.want, field.have));
}

Result<std::vector<float>> FloatsOf(const TensorProto& tensor) {
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return tensor.has_raw_data() ? Raw<float>(tensor) : Convert<float>(tensor.float_data());
    case TensorProto::DOUBLE:
      return tensor.has_raw_data() ? Convert<float>(Raw<double>(tensor))
                                   : Convert<float>(tensor.double_data());
    case TensorProto::FLOAT16: {
      const auto halves = tensor.has_raw_data() ? Raw<std::uint16_t>(tensor)
                                                : Convert<std::uint16_t>(tensor.int32_data());
      std::vector<float> values;
      values.reserve(halves.size());
      for (const std::uint16_t half : halves) values.push_back(HalfToFloat(half));
      return values;
    }
    default:
      return Fail(WrongType(tensor, "a float type"));
  }
}

Result<std::vector<std::int64_t>> IntsOf(const TensorProto& tensor) {
  switch (tensor.data_type()) {
    case TensorProto::INT64:
      return tensor.has_raw_data() ? Raw<std::int64_t>(tensor)
                                   : Convert<std::int64_t>(tensor.int64_data());
    case TensorProto::INT32:
      return tensor.has_raw_data() ? Convert<std::int64_t>(Raw<std::int32_t>(tensor))
                                   : Convert<std::int64_t>(tensor.int32_data());
    case TensorProto::INT8:
      return tensor.has_raw_data() ? Convert<std::int64_t>(Raw<std::int8_t>(tensor))
                                   : Convert<std::int64_t>(tensor.int32_data());
    case TensorProto::UINT8:
      return tensor.has_raw_data() ? Convert<std::int64_t>(Raw<std::uint8_t>(tensor))
                                   : Convert<std::int64_t>(tensor.int32_data());
    case TensorProto::INT16:
      return tensor.has_raw_data() ? Convert<std::int64_t>(Raw<std::int16_t>(tensor))
                                   : Convert<std::int64_t>(tensor.int32_data());
    case TensorProto::UINT16:
      return tensor.has_raw_data() ? Convert<std::int64_t>(Raw<std::uint16_t>(tensor))
                                   : Convert<std::int64_t>(tensor.int32_data());
    default:
      return Fail(WrongType(tensor, "an integer type"));
  }
}

std::vector<std::int64_t> DimsOf(const TensorProto& tensor) {
  return {tensor.dims().begin(), tensor.dims().end()};
}

TensorProto MakeRawTensor(const std::string& name, int onnx_type,
                          std::span<const std::int64_t> dims, const void* data,
                          std::size_t size_bytes) {
  TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx_type);
  for (const std::int64_t dim : dims) tensor.add_dims(dim);
  tensor.set_raw_data(data, size_bytes);
  return tensor;
}

TensorProto MakeFloatTensor(const std::string& name, std::span<const std::int64_t> dims,
                            std::span<const float> values) {
  return MakeRawTensor(name, TensorProto::FLOAT, dims, values.data(), values.size_bytes());
}

}  // namespace kenning::onnx_graph
