// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/tensor_spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kenning {

std::string ShapeToString(const Shape& shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string ToString(const TensorSpec& spec) {
  return fmt::format("{}{}", DTypeName(spec.dtype), ShapeToString(spec.shape));
}

bool ShapesCompatible(const Shape& a, const Shape& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && a[i] != kAnyDim && b[i] != kAnyDim) return false;
  }
  return true;
}

std::optional<std::uint64_t> ElementCount(const Shape& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0) return std::nullopt;
    if (__builtin_mul_overflow(count, static_cast<std::uint64_t>(dim), &count)) return std::nullopt;
  }
  return count;
}

}  // namespace kenning
