// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizer "TFLiteCompiler": TensorFlow's converter, in the toolchain `tensorflow`.
#pragma once

#include "kenning/core/optimizer.h"
#include "kenning/registry/param_schema.h"
#include "model_file/model_file.h"

namespace kenning::tflite {

struct CompilerSettings {
  std::filesystem::path output_path;
  std::string target = "default";  ///< "default", "float16", "dynamic", "int8", "edgetpu"
  std::string input_type = "float32";
  std::string output_type = "float32";
  int static_batch = 1;  ///< 0: the batch stays open.
  double dataset_percentage = 1;
  int max_calibration_samples = 512;
  bool select_ops = false;
  std::filesystem::path edgetpu_compiler;  ///< For target "edgetpu".
};

/// How much of a model's work is done in integers.
struct Int8Share {
  int heavy = 0;                          ///< Operators with weights, or products of tensors.
  std::vector<std::string> float_heavy;   ///< Those of them that compute in float.
  std::map<std::string, int> float_rest;  ///< Other operators in float, by type.
};
Int8Share CountInt8(const ModelFile& model);

class TfliteCompiler final : public Optimizer {
 public:
  explicit TfliteCompiler(CompilerSettings settings) : settings_(std::move(settings)) {}
  /// \return kInvalidScenario, kUnsupported (parts of Kenning's class that this one lacks),
  /// kUnavailable (no Edge TPU compiler).
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return settings_.output_path; }
  std::string output_format(const std::string&) const override { return "tflite"; }

 private:
  CompilerSettings settings_;
};

}  // namespace kenning::tflite
