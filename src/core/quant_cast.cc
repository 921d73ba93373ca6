// SPDX-License-Identifier: Apache-2.0
#include "kenning/core/quant_cast.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kenning {
namespace {

/// Where an element's scale and zero point are found: slices of `inner` elements along an axis of
/// `count`.
struct Slicing {
  std::size_t count = 1;
  std::size_t inner = 1;
  std::size_t IndexOf(std::size_t element) const {
    return count == 1 ? 0 : element / inner % count;
  }
};

Result<Slicing> SlicingOf(const QuantParams& quant, std::span<const std::int64_t> shape) {
  if (quant.scale.empty() || quant.scale.size() != quant.zero_point.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("quantisation has {} scales and {} zero points", quant.scale.size(),
                            quant.zero_point.size()));
  }
  for (const float scale : quant.scale) {
    if (!std::isfinite(scale) || scale <= 0) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("quantisation scale {} is not a positive number", scale));
    }
  }
  if (quant.scale.size() == 1) return Slicing{};
  const auto axis = static_cast<std::size_t>(quant.axis);
  if (quant.axis < 0 || axis >= shape.size() ||
      static_cast<std::size_t>(shape[axis]) != quant.scale.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} scales do not match axis {} of the tensor", quant.scale.size(),
                            quant.axis));
  }
  Slicing slicing{quant.scale.size(), 1};
  for (std::size_t i = axis + 1; i < shape.size(); ++i) {
    slicing.inner *= static_cast<std::size_t>(shape[i]);
  }
  return slicing;
}

template <typename Q>
Q Saturate(double value) {
  // nearbyint rounds halves to even under the default rounding mode.
  const double rounded = std::nearbyint(value);
  if (rounded <= static_cast<double>(std::numeric_limits<Q>::min())) {
    return std::numeric_limits<Q>::min();
  }
  if (rounded >= static_cast<double>(std::numeric_limits<Q>::max())) {
    return std::numeric_limits<Q>::max();
  }
  return static_cast<Q>(rounded);
}

template <typename Q>
void Quantise(std::span<const float> from, std::span<Q> to, const QuantParams& quant,
              const Slicing& slicing) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t k = slicing.IndexOf(i);
    const auto zero_point = static_cast<double>(quant.zero_point[k]);
    const auto value = static_cast<double>(from[i]);
    to[i] =
        std::isnan(value)
            ? Saturate<Q>(zero_point)
            : Saturate<Q>(std::nearbyint(value / static_cast<double>(quant.scale[k])) + zero_point);
  }
}

template <typename Q>
void Dequantise(std::span<const Q> from, std::span<float> to, const QuantParams& quant,
                const Slicing& slicing) {
  for (std::size_t i = 0; i < from.size(); ++i) {
    const std::size_t k = slicing.IndexOf(i);
    to[i] = static_cast<float>(
        (static_cast<double>(from[i]) - static_cast<double>(quant.zero_point[k])) *
        static_cast<double>(quant.scale[k]));
  }
}

template <typename Q>
void FromFloat(const TensorView& from, const MutableTensorView& to, const QuantParams& quant,
               const Slicing& slicing) {
  Quantise<Q>(from.as<float>(), to.as<Q>(), quant, slicing);
}

template <typename Q>
void ToFloat(const TensorView& from, const MutableTensorView& to, const QuantParams& quant,
             const Slicing& slicing) {
  Dequantise<Q>(from.as<Q>(), to.as<float>(), quant, slicing);
}

using Kernel = void (*)(const TensorView&, const MutableTensorView&, const QuantParams&,
                        const Slicing&);

/// The kernel for one integer type, or null.
Kernel KernelFor(DType integer, bool to_float) {
  switch (integer) {
    case DType::kInt8:
      return to_float ? ToFloat<std::int8_t> : FromFloat<std::int8_t>;
    case DType::kUint8:
      return to_float ? ToFloat<std::uint8_t> : FromFloat<std::uint8_t>;
    case DType::kInt16:
      return to_float ? ToFloat<std::int16_t> : FromFloat<std::int16_t>;
    case DType::kUint16:
      return to_float ? ToFloat<std::uint16_t> : FromFloat<std::uint16_t>;
    case DType::kInt32:
      return to_float ? ToFloat<std::int32_t> : FromFloat<std::int32_t>;
    default:
      return nullptr;
  }
}

}  // namespace

Result<> CastTensor(const TensorView& from, const std::optional<QuantParams>& from_quant,
                    const MutableTensorView& to, const std::optional<QuantParams>& to_quant) {
  const std::size_t from_count = from.size_bytes / std::max<std::size_t>(1, DTypeSize(from.dtype));
  const std::size_t to_count = to.size_bytes / std::max<std::size_t>(1, DTypeSize(to.dtype));
  if (from_count != to_count) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("cannot cast {} elements into {}", from_count, to_count));
  }
  if (from.dtype == to.dtype && !from_quant && !to_quant) {
    std::copy_n(from.data, from.size_bytes, to.data);
    return {};
  }
  const bool to_float = to.dtype == DType::kFloat32;
  if (to_float == (from.dtype == DType::kFloat32)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("no cast from {} to {}", DTypeName(from.dtype), DTypeName(to.dtype)));
  }
  const Kernel kernel = KernelFor(to_float ? from.dtype : to.dtype, to_float);
  if (kernel == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("no cast from {} to {}", DTypeName(from.dtype), DTypeName(to.dtype)));
  }
  const QuantParams plain{{1.0F}, {0}, 0};
  const std::optional<QuantParams>& given = to_float ? from_quant : to_quant;
  const QuantParams& quant = given ? *given : plain;
  KENNING_ASSIGN_OR_RETURN(const Slicing slicing, SlicingOf(quant, from.shape));
  kernel(from, to, quant, slicing);
  return {};
}

}  // namespace kenning
