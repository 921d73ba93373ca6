// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a dataset's samples (float32 or uint8, images as HWC, or CHW where their spec's layout is
/// "NCHW") to a model's input: layout, channel
/// order and normalisation in one pass, without allocation in a steady loop.
#pragma once

#include <string>
#include <vector>

#include "kenning/core/sample.h"

namespace kenning {

/// What happens to each value x of channel c: (x * scale - mean[c]) / stddev[c].
struct InputOptions {
  std::string layout = "auto";    ///< "NCHW", "NHWC" or "auto": what the shapes allow.
  bool reverse_channels = false;  ///< RGB <-> BGR.
  float scale = 1;
  std::vector<float> mean;    ///< One for each channel, one for all, or none.
  std::vector<float> stddev;  ///< As many as `mean`.
};

/// Immutable; thread-safe.
class InputAdapter {
 public:
  InputAdapter() = default;
  /// `sample`: one sample without batch dimension; `input`: the model's, with it.
  /// \return kInvalidScenario naming both shapes, or the parameter that does not fit.
  static Result<InputAdapter> Make(const TensorSpec& sample, const TensorSpec& input,
                                   const InputOptions& options);

  /// `in`: samples stacked along a batch dimension. `out` is reused where it fits.
  Result<> Apply(const Tensor& in, Tensor& out) const;

 private:
  template <typename T>
  void Convert(const T* in, float* out, std::size_t rows) const;

  Shape sample_shape_;
  Shape input_shape_;  ///< Without the batch dimension, resolved.
  bool from_nchw_ = false;
  bool to_nchw_ = false;
  bool plain_copy_ = false;  ///< Values pass unchanged.
  std::size_t pixels_ = 0;
  std::size_t channels_ = 1;
  std::vector<std::size_t> source_channel_;  ///< For each output channel.
  std::vector<float> factor_;  ///< out = x * factor + offset, for each output channel.
  std::vector<float> offset_;
};

}  // namespace kenning
