// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/tensor.h"

#include <fmt/format.h>

#include <cstdlib>
#include <cstring>

#include "kenning/base/check.h"

namespace kenning {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::uint64_t kLargestBytes = std::uint64_t{16} << 30;

}  // namespace

void Tensor::AlignedDelete::operator()(std::byte* p) const { std::free(p); }

Result<Tensor> Tensor::Create(DType dtype, Shape shape) {
  const auto elements = ElementCount(shape);
  const std::size_t element_size = DTypeSize(dtype);
  if (!elements || element_size == 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("no memory can be laid out for a tensor {}{}", DTypeName(dtype),
                            ShapeToString(shape)));
  }
  if (*elements > kLargestBytes / element_size) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("a tensor {}{} is larger than 16 GiB",
                                                         DTypeName(dtype), ShapeToString(shape)));
  }
  Tensor tensor;
  tensor.size_bytes_ = static_cast<std::size_t>(*elements) * element_size;
  // aligned_alloc wants a multiple of the alignment; an empty tensor still gets an address.
  const std::size_t padded = (tensor.size_bytes_ + kAlignment) / kAlignment * kAlignment;
  tensor.data_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, padded)));
  if (tensor.data_ == nullptr) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("out of memory for a tensor of {} bytes", tensor.size_bytes_));
  }
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  return tensor;
}

Tensor Tensor::Clone() const {
  if (data_ == nullptr) return {};
  auto copy = Create(dtype_, shape_);
  KENNING_CHECK(copy.has_value());
  std::memcpy(copy->data(), data(), size_bytes_);
  return *std::move(copy);
}

}  // namespace kenning
