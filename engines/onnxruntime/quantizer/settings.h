// SPDX-License-Identifier: Apache-2.0
/// \file
/// The checked parameters of ONNXQuantizer (schema.cc), as plain values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/registry/param_schema.h"

namespace kenning::quantizer {

enum class RangeMethod : std::uint8_t { kAuto, kMinMax, kPercentile, kEntropy, kMse };
enum class WeightRange : std::uint8_t {
  kFull,     ///< -127..127.
  kReduced,  ///< -64..64.
  kPairSafe  ///< As wide as 16-bit sums of two products with 8-bit activations allow.
};

struct Settings {
  std::filesystem::path output_path;
  RangeMethod method = RangeMethod::kMinMax;  ///< kAuto: the best of the others, measured.
  double percentile = 99.99;
  std::size_t max_samples = 512;
  bool signed_activations = false;
  bool symmetric_activations = false;
  bool per_channel = true;
  WeightRange weight_range = WeightRange::kFull;  ///< "auto" is resolved by the target.
  bool weight_range_chosen = false;               ///< By "auto", not by the user.
  bool bias_correction = true;
  bool equalize = false;
  std::vector<std::string> only_nodes, excluded_nodes, only_types, excluded_types;

  /// Lowest and highest quantised activation.
  int lowest() const { return signed_activations ? -128 : 0; }
  int highest() const { return signed_activations ? 127 : 255; }
};

/// `saturating`: the target's 8-bit multiply-add saturates in 16 bits.
/// \return kInvalidScenario where compiled_model_path is no place to write to.
Result<Settings> ReadSettings(const Params& params, bool saturating);

}  // namespace kenning::quantizer
