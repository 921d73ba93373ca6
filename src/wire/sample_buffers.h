// SPDX-License-Identifier: Apache-2.0
/// \file
/// Memory for the tensors of one request: as many samples as it carries, each tensor aligned to 64
/// bytes. Grows only; once it is large enough nothing is allocated.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kenning/core/tensor.h"

namespace kenning::wire {

class SampleBuffers {
 public:
  static constexpr std::uint64_t kMaxSamples = 1U << 16;  ///< Of one request.

  /// \param max_bytes for all inputs of a request, and for all its outputs.
  explicit SampleBuffers(std::uint64_t max_bytes) : max_bytes_(max_bytes) {}

  /// Takes a loaded model's tensors; shapes are bound afterwards.
  void SetModel(const ModelSpec& spec);
  void DropModel() { has_model_ = bound_ = false; }
  bool has_model() const { return has_model_; }
  /// Whether every input has a size of its own.
  bool is_static() const;
  /// The input shapes of a sample of `bytes`: those of the spec, or with as many rows in the
  /// dimensions that the model leaves open. \return kInvalidArgument where none fit.
  Result<std::vector<Shape>> ShapesOf(std::uint64_t bytes) const;
  std::vector<Shape> spec_shapes() const;
  const std::vector<TensorSpec>& spec_outputs() const { return spec_outputs_; }

  /// Sets the shapes of the samples to come. \return kInvalidArgument for shapes that the model
  /// does not take, kResourceExhausted.
  Result<> Bind(std::vector<Shape> input_shapes, std::span<const TensorSpec> outputs);
  bool bound() const { return bound_; }
  const std::vector<Shape>& bound_shapes() const { return input_shapes_; }
  /// Bytes of one sample on the wire.
  std::uint64_t input_bytes() const { return input_bytes_; }
  std::uint64_t output_bytes() const { return output_bytes_; }

  /// Makes room for `count` samples, whose contents are then undefined. Pages are taken from the
  /// system only once they are written. \pre bound.
  /// \return kResourceExhausted.
  Result<> Reserve(std::uint64_t count);
  /// \pre sample < count of Reserve.
  std::span<const MutableTensorView> inputs(std::size_t sample) const;
  std::span<const TensorView> input_views(std::size_t sample) const;
  std::span<const MutableTensorView> outputs(std::size_t sample) const;

 private:
  struct Slot {
    DType dtype = DType::kFloat32;
    Shape shape;
    std::size_t size_bytes = 0;
    std::size_t offset = 0;  // within a sample
  };
  struct Free {
    void operator()(std::byte* p) const;
  };
  Result<Slot> MakeSlot(DType dtype, Shape shape);
  void MakeViews(std::size_t count);

  std::uint64_t max_bytes_;
  bool has_model_ = false;
  std::vector<TensorSpec> spec_inputs_;
  std::vector<TensorSpec> spec_outputs_;

  bool bound_ = false;
  std::vector<Shape> input_shapes_;
  std::vector<Slot> input_slots_;
  std::vector<Slot> output_slots_;
  std::uint64_t input_bytes_ = 0;
  std::uint64_t output_bytes_ = 0;
  std::size_t stride_ = 0;

  std::size_t reserved_ = 0;  // samples that have views
  std::size_t capacity_ = 0;
  std::unique_ptr<std::byte, Free> memory_;
  std::byte* base_ = nullptr;  // the first aligned byte
  std::vector<MutableTensorView> inputs_;
  std::vector<TensorView> input_views_;
  std::vector<MutableTensorView> outputs_;
};

}  // namespace kenning::wire
