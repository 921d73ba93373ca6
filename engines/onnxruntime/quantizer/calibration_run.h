// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runs the float model over calibration samples and collects statistics of its activations. Memory
/// grows with the number of tensors, not of samples.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "kenning/core/optimizer.h"
#include "onnx/onnx.pb.h"
#include "quantizer/histogram.h"

namespace kenning::quantizer {

/// Of one tensor over all samples.
struct TensorStatistics {
  Histogram histogram;
  /// Mean of each channel (axis 1, or the last one of a tensor of two dimensions).
  std::vector<double> channel_means;
  std::uint64_t samples = 0;
};

struct CalibrationRequest {
  std::set<std::string> tensors;  ///< Whose values to look at.
  std::size_t max_samples = 0;
};

/// `model` is the float model, checked; `name` stands for it in messages.
/// \return kFailedPrecondition without samples, kInvalidData where a tensor has NaN or infinite
/// values, kCancelled, kEngineFailure.
Result<std::map<std::string, TensorStatistics>> RunCalibration(const onnx::ModelProto& model,
                                                               const std::string& name,
                                                               const CalibrationRequest& request,
                                                               OptimizeContext& context);

/// The first output of the float model for some calibration samples, to measure others against.
class OutputReference {
 public:
  /// Runs up to `samples` of them; fewer where an output is large (16 MiB are kept in all).
  static Result<OutputReference> Make(const onnx::ModelProto& model, const std::string& name,
                                      std::size_t samples, OptimizeContext& context);
  /// Ratio of the signal's power to that of the difference, in dB. Loads the model: one that ONNX
  /// Runtime refuses is an error here.
  Result<double> SignalToNoise(const std::string& model_bytes, const std::string& name,
                               OptimizeContext& context) const;
  std::size_t samples() const { return outputs_.size(); }

 private:
  std::vector<std::size_t> indices_;
  std::vector<std::vector<float>> outputs_;
};

}  // namespace kenning::quantizer
