// SPDX-License-Identifier: Apache-2.0
#include "wire/sample_buffers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

namespace kenning::wire {
namespace {

constexpr std::size_t kAlign = 64;

std::size_t Aligned(std::size_t size) { return (size + kAlign - 1) / kAlign * kAlign; }

std::optional<std::uint64_t> BytesOf(DType dtype, const Shape& shape) {
  const auto count = ElementCount(shape);
  const std::uint64_t size = DTypeSize(dtype);
  if (!count || size == 0 || *count > UINT64_MAX / size) return std::nullopt;
  return *count * size;
}

bool IsOpen(std::span<const std::int64_t> shape) { return std::ranges::count(shape, kAnyDim) > 0; }

}  // namespace

void SampleBuffers::Free::operator()(std::byte* p) const { std::free(p); }

void SampleBuffers::SetModel(const ModelSpec& spec) {
  spec_inputs_ = spec.engine_inputs();
  spec_outputs_ = spec.engine_outputs();
  has_model_ = true;
  bound_ = false;
  reserved_ = 0;
}

bool SampleBuffers::is_static() const {
  return std::ranges::none_of(spec_inputs_, [](const TensorSpec& s) { return IsOpen(s.shape); });
}

std::vector<Shape> SampleBuffers::spec_shapes() const {
  std::vector<Shape> shapes;
  for (const TensorSpec& spec : spec_inputs_) shapes.push_back(spec.shape);
  return shapes;
}

Result<std::vector<Shape>> SampleBuffers::ShapesOf(std::uint64_t bytes) const {
  std::vector<Shape> shapes = spec_shapes();
  std::uint64_t fixed = 0;
  std::uint64_t row = 0;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    Shape one = shapes[i];
    const bool open = IsOpen(one);
    if (open) {
      if (one.front() != kAnyDim || IsOpen(std::span(one).subspan(1))) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("input {} is {}: its shape cannot be told from {} bytes",
                                spec_inputs_[i].name, ToString(spec_inputs_[i]), bytes));
      }
      one.front() = 1;
    }
    const auto size = BytesOf(spec_inputs_[i].dtype, one);
    if (!size || *size > max_bytes_) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("input {} is {}, more than {} bytes", spec_inputs_[i].name,
                              ToString(spec_inputs_[i]), max_bytes_));
    }
    (open ? row : fixed) += *size;
  }
  const std::uint64_t rows = row == 0 || bytes < fixed ? 0 : (bytes - fixed) / row;
  if (fixed + rows * row != bytes || (row > 0 && rows == 0)) {
    return Fail(ErrorCode::kInvalidArgument,
                row == 0 ? fmt::format("an input of {} bytes; the model takes {}", bytes, fixed)
                         : fmt::format("an input of {} bytes; the model takes {} and {} a row",
                                       bytes, fixed, row));
  }
  for (Shape& shape : shapes) std::ranges::replace(shape, kAnyDim, static_cast<std::int64_t>(rows));
  return shapes;
}

Result<SampleBuffers::Slot> SampleBuffers::MakeSlot(DType dtype, Shape shape) {
  const auto size = BytesOf(dtype, shape);
  if (!size || *size > max_bytes_) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("a tensor {}{}: at most {} bytes are held", DTypeName(dtype),
                            ShapeToString(shape), max_bytes_));
  }
  Slot slot{dtype, std::move(shape), static_cast<std::size_t>(*size), stride_};
  stride_ += Aligned(slot.size_bytes);
  return slot;
}

Result<> SampleBuffers::Bind(std::vector<Shape> input_shapes, std::span<const TensorSpec> outputs) {
  bound_ = false;
  reserved_ = 0;
  stride_ = 0;
  input_bytes_ = output_bytes_ = 0;
  input_slots_.clear();
  output_slots_.clear();
  if (input_shapes.size() != spec_inputs_.size()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} shapes for a model of {} inputs",
                                                         input_shapes.size(), spec_inputs_.size()));
  }
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    if (!ShapesCompatible(input_shapes[i], spec_inputs_[i].shape) || IsOpen(input_shapes[i])) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("shape {} for input {}, which is {}", ShapeToString(input_shapes[i]),
                              spec_inputs_[i].name, ToString(spec_inputs_[i])));
    }
    KENNING_ASSIGN_OR_RETURN(Slot slot, MakeSlot(spec_inputs_[i].dtype, input_shapes[i]));
    input_bytes_ += slot.size_bytes;
    input_slots_.push_back(std::move(slot));
  }
  for (const TensorSpec& output : outputs) {
    KENNING_ASSIGN_OR_RETURN(Slot slot, MakeSlot(output.dtype, output.shape));
    output_bytes_ += slot.size_bytes;
    output_slots_.push_back(std::move(slot));
  }
  input_shapes_ = std::move(input_shapes);
  bound_ = true;
  return {};
}

Result<> SampleBuffers::Reserve(std::uint64_t count) {
  if (count <= reserved_) return {};
  const std::uint64_t most = std::max<std::uint64_t>({input_bytes_, output_bytes_, 1});
  // Bytes on the wire are capped; alignment may add a little to many small tensors.
  if (count > kMaxSamples || count > max_bytes_ / most ||
      count > 4 * max_bytes_ / std::max<std::size_t>(stride_, 1)) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} samples of {} bytes in and {} out; at most {} bytes are taken",
                            count, input_bytes_, output_bytes_, max_bytes_));
  }
  const std::size_t bytes = static_cast<std::size_t>(count) * stride_;
  if (bytes > capacity_) {
    memory_.reset();
    capacity_ = 0;
    // Zeros, so that nothing of this process leaves it by an output that an engine did not write.
    memory_.reset(static_cast<std::byte*>(std::calloc(bytes + kAlign, 1)));
    if (memory_ == nullptr) {
      base_ = nullptr;
      return Fail(ErrorCode::kResourceExhausted, fmt::format("no memory of {} bytes", bytes));
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.get());
    base_ = memory_.get() + (Aligned(address) - address);
    capacity_ = bytes;
  }
  MakeViews(static_cast<std::size_t>(count));
  return {};
}

void SampleBuffers::MakeViews(std::size_t count) {
  inputs_.clear();
  input_views_.clear();
  outputs_.clear();
  for (std::size_t sample = 0; sample < count; ++sample) {
    std::byte* const base = base_ + sample * stride_;
    for (const Slot& slot : input_slots_) {
      inputs_.push_back({base + slot.offset, slot.size_bytes, slot.dtype, slot.shape});
      input_views_.push_back({base + slot.offset, slot.size_bytes, slot.dtype, slot.shape});
    }
    for (const Slot& slot : output_slots_) {
      outputs_.push_back({base + slot.offset, slot.size_bytes, slot.dtype, slot.shape});
    }
  }
  reserved_ = count;
}

std::span<const MutableTensorView> SampleBuffers::inputs(std::size_t sample) const {
  return std::span(inputs_).subspan(sample * input_slots_.size(), input_slots_.size());
}

std::span<const TensorView> SampleBuffers::input_views(std::size_t sample) const {
  return std::span(input_views_).subspan(sample * input_slots_.size(), input_slots_.size());
}

std::span<const MutableTensorView> SampleBuffers::outputs(std::size_t sample) const {
  return std::span(outputs_).subspan(sample * output_slots_.size(), output_slots_.size());
}

}  // namespace kenning::wire
