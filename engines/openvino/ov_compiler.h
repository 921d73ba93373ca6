// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizer "OpenVINOCompiler": a model in OpenVINO's own form, and the inspector of models.
#pragma once

#include "kenning/core/optimizer.h"
#include "kenning/registry/param_schema.h"

namespace kenning::openvino {

/// Inputs and outputs of a model of any format that this engine reads.
Result<ModelSpec> InspectModel(const std::filesystem::path& path, std::string_view format);

class OpenVinoCompiler final : public Optimizer {
 public:
  struct Settings {
    std::filesystem::path output_path;
    std::string model_framework = "any";
    bool compress_to_fp16 = false;
  };
  explicit OpenVinoCompiler(Settings settings) : settings_(std::move(settings)) {}
  /// \return kInvalidScenario where the output is named like a file.
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  /// Replaces a model's folder at the output path, and nothing else. \return also kIo where
  /// something else is there.
  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return settings_.output_path; }
  std::string output_format(const std::string& /*input_format*/) const override {
    return "openvino";
  }

 private:
  Settings settings_;
};

}  // namespace kenning::openvino
