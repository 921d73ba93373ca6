// SPDX-License-Identifier: Apache-2.0
#include "iree_api.h"

#include <fmt/format.h>

namespace kenning::iree {

std::string Version() { return "3.13.0"; }

std::string StatusText(iree_status_t status) {
  const iree_allocator_t allocator = iree_allocator_system();
  char* buffer = nullptr;
  iree_host_size_t length = 0;
  std::string text = iree_status_code_string(iree_status_code(status));
  if (iree_status_to_string(status, &allocator, &buffer, &length)) {
    text.assign(buffer, length);
    iree_allocator_free(allocator, buffer);
  }
  iree_status_free(status);
  // "<file>:<line>: CODE; message; while invoking …": the place goes.
  const std::size_t place = text.find(".c:");
  if (place != std::string::npos && place < text.find(' ')) {
    const std::size_t space = text.find(' ');
    text.erase(0, space == std::string::npos ? 0 : space + 1);
  }
  constexpr std::size_t kMaxText = 1500;
  if (text.size() > kMaxText) text = text.substr(0, kMaxText) + "…";
  return text;
}

Result<> ToResult(iree_status_t status, ErrorCode code, const std::string& where) {
  if (iree_status_is_ok(status)) return {};
  if (iree_status_is_resource_exhausted(status)) code = ErrorCode::kResourceExhausted;
  return Fail(code, fmt::format("{}: IREE {}: {}", where, Version(), StatusText(status)));
}

std::optional<iree_hal_element_type_t> ToElementType(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return IREE_HAL_ELEMENT_TYPE_FLOAT_32;
    case DType::kFloat64:
      return IREE_HAL_ELEMENT_TYPE_FLOAT_64;
    case DType::kFloat16:
      return IREE_HAL_ELEMENT_TYPE_FLOAT_16;
    case DType::kBFloat16:
      return IREE_HAL_ELEMENT_TYPE_BFLOAT_16;
    case DType::kInt8:
      return IREE_HAL_ELEMENT_TYPE_SINT_8;
    case DType::kUint8:
      return IREE_HAL_ELEMENT_TYPE_UINT_8;
    case DType::kInt16:
      return IREE_HAL_ELEMENT_TYPE_SINT_16;
    case DType::kUint16:
      return IREE_HAL_ELEMENT_TYPE_UINT_16;
    case DType::kInt32:
      return IREE_HAL_ELEMENT_TYPE_SINT_32;
    case DType::kUint32:
      return IREE_HAL_ELEMENT_TYPE_UINT_32;
    case DType::kInt64:
      return IREE_HAL_ELEMENT_TYPE_SINT_64;
    case DType::kUint64:
      return IREE_HAL_ELEMENT_TYPE_UINT_64;
    case DType::kBool:
      return IREE_HAL_ELEMENT_TYPE_BOOL_8;
    case DType::kString:
      break;
  }
  return std::nullopt;
}

}  // namespace kenning::iree
