// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizer "ONNXCompiler": graph optimisation by ONNX Runtime, stored; float16 storage.
#pragma once

#include "kenning/core/optimizer.h"
#include "kenning/registry/param_schema.h"

namespace kenning::ort {

class OnnxCompiler final : public Optimizer {
 public:
  struct Settings {
    std::filesystem::path output_path;
    std::string graph_level = "basic";
    bool float16 = false;
  };
  explicit OnnxCompiler(Settings settings) : settings_(std::move(settings)) {}
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return settings_.output_path; }
  std::string output_format(const std::string& /*input_format*/) const override { return "onnx"; }

 private:
  Settings settings_;
};

}  // namespace kenning::ort
