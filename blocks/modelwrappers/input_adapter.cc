// SPDX-License-Identifier: Apache-2.0
#include "input_adapter.h"

#include <fmt/format.h>

#include <cstring>

namespace kenning {
namespace {

Shape WithoutBatch(const Shape& shape) {
  return shape.empty() ? Shape{} : Shape(shape.begin() + 1, shape.end());
}

/// Down to `rank` dimensions; gives how many went.
std::size_t DropTrailingOnes(Shape& shape, std::size_t rank) {
  std::size_t dropped = 0;
  for (; shape.size() > rank && shape.back() == 1; ++dropped) shape.pop_back();
  return dropped;
}

Result<std::vector<float>> PerChannel(const std::vector<float>& given, std::size_t channels,
                                      float default_value, const char* what) {
  if (given.empty()) return std::vector<float>(channels, default_value);
  if (given.size() == 1) return std::vector<float>(channels, given[0]);
  if (given.size() == channels) return given;
  return Fail(
      ErrorCode::kInvalidScenario,
      fmt::format("{} has {} values, the samples have {} channels", what, given.size(), channels));
}

}  // namespace

Result<InputAdapter> InputAdapter::Make(const TensorSpec& sample, const TensorSpec& input,
                                        const InputOptions& options) {
  const auto mismatch = [&](const std::string& hint) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("samples of shape {} do not fit the model's input \"{}\" {}{}",
                            ShapeToString(sample.shape), input.name, ToString(input), hint));
  };
  InputAdapter adapter;
  adapter.sample_shape_ = sample.shape;
  Shape wanted = WithoutBatch(input.shape);
  // Kenning's magic wand network takes windows of 128 readings of 3 values as [128, 3, 1].
  const std::size_t ones = DropTrailingOnes(wanted, sample.shape.size());
  const bool image = sample.shape.size() == 3 && wanted.size() == 3;
  adapter.from_nchw_ = sample.shape.size() == 3 && sample.layout == "NCHW";
  const Shape hwc =
      adapter.from_nchw_ ? Shape{sample.shape[1], sample.shape[2], sample.shape[0]} : sample.shape;
  const Shape chw = image ? Shape{hwc[2], hwc[0], hwc[1]} : Shape{};
  const bool fits_as_is = ShapesCompatible(hwc, wanted);
  const bool fits_as_nchw = image && ShapesCompatible(chw, wanted);
  if (options.layout == "NCHW" ? !fits_as_nchw : options.layout == "NHWC" && !fits_as_is) {
    return mismatch(fmt::format(" in the layout {}", options.layout));
  }
  // Where both fit (a square with as many channels), what the model says of itself decides.
  adapter.to_nchw_ = options.layout == "NCHW" ||
                     (options.layout == "auto" && fits_as_nchw &&
                      (!fits_as_is || (input.layout.empty() ? false : input.layout == "NCHW")));
  const bool flat =
      wanted.size() == 1 &&
      (wanted[0] == kAnyDim || ElementCount(sample.shape) == static_cast<std::uint64_t>(wanted[0]));
  if (!fits_as_is && !fits_as_nchw && !flat) {
    return mismatch("; choose another model, or let the dataset resize its samples");
  }
  // Planes go to a flat input in their own order, as rows of pixels do.
  if (adapter.from_nchw_ && flat && !fits_as_is && !fits_as_nchw) adapter.to_nchw_ = true;
  const auto count = ElementCount(sample.shape);
  if (!count || *count == 0) return mismatch(": a sample's size must be known");
  adapter.channels_ =
      hwc.empty() ? 1 : static_cast<std::size_t>(std::max<std::int64_t>(hwc.back(), 1));
  adapter.pixels_ = static_cast<std::size_t>(*count) / adapter.channels_;
  adapter.input_shape_ = flat && !fits_as_is ? Shape{static_cast<std::int64_t>(*count)}
                         : adapter.to_nchw_  ? chw
                                             : hwc;
  adapter.input_shape_.insert(adapter.input_shape_.end(), ones, 1);
  KENNING_ASSIGN_OR_RETURN(const std::vector<float> mean,
                           PerChannel(options.mean, adapter.channels_, 0, "mean"));
  KENNING_ASSIGN_OR_RETURN(const std::vector<float> stddev,
                           PerChannel(options.stddev, adapter.channels_, 1, "std"));
  adapter.plain_copy_ = adapter.to_nchw_ == adapter.from_nchw_ && !options.reverse_channels;
  for (std::size_t c = 0; c < adapter.channels_; ++c) {
    if (!(stddev[c] > 0)) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("std has the value {}; it must be above 0", stddev[c]));
    }
    adapter.source_channel_.push_back(options.reverse_channels ? adapter.channels_ - 1 - c : c);
    adapter.factor_.push_back(options.scale / stddev[c]);
    adapter.offset_.push_back(-mean[c] / stddev[c]);
    adapter.plain_copy_ =
        adapter.plain_copy_ && adapter.factor_[c] == 1.0F && adapter.offset_[c] == 0.0F;
  }
  return adapter;
}

template <typename T>
void InputAdapter::Convert(const T* in, float* out, std::size_t rows) const {
  const std::size_t one = pixels_ * channels_;
  for (std::size_t row = 0; row < rows; ++row, in += one, out += one) {
    for (std::size_t c = 0; c < channels_; ++c) {
      const T* from = in + (from_nchw_ ? source_channel_[c] * pixels_ : source_channel_[c]);
      float* to = to_nchw_ ? out + c * pixels_ : out + c;
      const std::size_t step = to_nchw_ ? 1 : channels_;
      const std::size_t from_step = from_nchw_ ? 1 : channels_;
      const float factor = factor_[c];
      const float offset = offset_[c];
      for (std::size_t p = 0; p < pixels_; ++p) {
        to[p * step] = static_cast<float>(from[p * from_step]) * factor + offset;
      }
    }
  }
}

Result<> InputAdapter::Apply(const Tensor& in, Tensor& out) const {
  const std::size_t one = pixels_ * channels_;
  if (in.shape().empty() ||
      in.size_bytes() != static_cast<std::size_t>(in.shape()[0]) * one * DTypeSize(in.dtype())) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("a batch of shape {} where samples of shape {} are expected",
                            ShapeToString(in.shape()), ShapeToString(sample_shape_)));
  }
  const auto rows = static_cast<std::size_t>(in.shape()[0]);
  if (out.data() == nullptr || out.dtype() != DType::kFloat32 || out.shape().empty() ||
      out.shape()[0] != in.shape()[0] || out.size_bytes() != rows * one * sizeof(float)) {
    Shape shape = {in.shape()[0]};
    shape.insert(shape.end(), input_shape_.begin(), input_shape_.end());
    KENNING_ASSIGN_OR_RETURN(out, Tensor::Create(DType::kFloat32, std::move(shape)));
  }
  if (in.dtype() == DType::kFloat32) {
    if (plain_copy_) {
      std::memcpy(out.data(), in.data(), in.size_bytes());
    } else {
      Convert(in.as<float>().data(), out.as<float>().data(), rows);
    }
    return {};
  }
  if (in.dtype() == DType::kUint8) {
    Convert(in.as<std::uint8_t>().data(), out.as<float>().data(), rows);
    return {};
  }
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("samples of type {} are neither float32 nor uint8", DTypeName(in.dtype())));
}

}  // namespace kenning
