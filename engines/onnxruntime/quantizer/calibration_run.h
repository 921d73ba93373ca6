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

/// Ratio of the signal's power to that of the difference, in dB, between the first outputs of two
/// models, over up to `samples` calibration samples. Loads both: a model that ONNX Runtime refuses
/// is an error here.
Result<double> CompareOutputs(const onnx::ModelProto& reference, const std::string& candidate_bytes,
                              const std::string& name, std::size_t samples,
                              OptimizeContext& context);

}  // namespace kenning::quantizer
