// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/dtype.h"

#include <array>

#include "kenning/base/check.h"

namespace kenning {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  std::size_t size;
};
constexpr std::array<Row, 14> kRows = {{
    {DType::kFloat32, "float32", 4},
    {DType::kFloat64, "float64", 8},
    {DType::kFloat16, "float16", 2},
    {DType::kBFloat16, "bfloat16", 2},
    {DType::kInt8, "int8", 1},
    {DType::kUint8, "uint8", 1},
    {DType::kInt16, "int16", 2},
    {DType::kUint16, "uint16", 2},
    {DType::kInt32, "int32", 4},
    {DType::kUint32, "uint32", 4},
    {DType::kInt64, "int64", 8},
    {DType::kUint64, "uint64", 8},
    {DType::kBool, "bool", 1},
    {DType::kString, "string", 0},
}};

const Row& RowOf(DType dtype) {
  const auto index = static_cast<std::size_t>(dtype);
  KENNING_CHECK(index < kRows.size() && kRows[index].dtype == dtype);
  return kRows[index];
}

}  // namespace

std::string_view DTypeName(DType dtype) { return RowOf(dtype).name; }
std::size_t DTypeSize(DType dtype) { return RowOf(dtype).size; }

std::optional<DType> ParseDType(std::string_view name) {
  if (name == "float") return DType::kFloat32;
  if (name == "double") return DType::kFloat64;
  for (const Row& row : kRows) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

}  // namespace kenning
