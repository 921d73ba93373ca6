// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tensors: dense, row-major ("C order"), 64-byte aligned. Strings are not representable.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning {

/// A borrowed read-only tensor. The owner must outlive it.
struct TensorView {
  const std::byte* data = nullptr;
  std::size_t size_bytes = 0;
  DType dtype = DType::kFloat32;
  std::span<const std::int64_t> shape;

  template <typename T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data), size_bytes / sizeof(T)};
  }
};

/// A borrowed writable tensor.
struct MutableTensorView {
  std::byte* data = nullptr;
  std::size_t size_bytes = 0;
  DType dtype = DType::kFloat32;
  std::span<const std::int64_t> shape;

  template <typename T>
  std::span<T> as() const {
    return {reinterpret_cast<T*>(data), size_bytes / sizeof(T)};
  }
};

/// An owning tensor. Movable, not copyable by accident (use Clone).
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised storage. \return kInvalidArgument for kString, unknown dimensions, or a size
  /// above 16 GiB.
  static Result<Tensor> Create(DType dtype, Shape shape);
  Tensor Clone() const;

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  std::size_t size_bytes() const { return size_bytes_; }
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }

  template <typename T>
  std::span<T> as() {
    return {reinterpret_cast<T*>(data_.get()), size_bytes_ / sizeof(T)};
  }
  template <typename T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data_.get()), size_bytes_ / sizeof(T)};
  }
  TensorView view() const { return {data_.get(), size_bytes_, dtype_, shape_}; }
  MutableTensorView mutable_view() { return {data_.get(), size_bytes_, dtype_, shape_}; }

 private:
  struct AlignedDelete {
    void operator()(std::byte* p) const;
  };
  DType dtype_ = DType::kFloat32;
  Shape shape_;
  std::size_t size_bytes_ = 0;
  std::unique_ptr<std::byte[], AlignedDelete> data_;
};

}  // namespace kenning
