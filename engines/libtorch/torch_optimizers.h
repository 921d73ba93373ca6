// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizers "PyTorchCompiler" and "PyTorchONNXExporter".
#pragma once

#include "kenning/core/optimizer.h"
#include "kenning/registry/param_schema.h"

namespace kenning::libtorch {

/// ONNX, torch.export or TorchScript in, TorchScript out.
class TorchCompiler final : public Optimizer {
 public:
  explicit TorchCompiler(std::filesystem::path output_path)
      : output_path_(std::move(output_path)) {}
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return output_path_; }
  std::string output_format(const std::string& /*input_format*/) const override {
    return "torchscript";
  }

 private:
  std::filesystem::path output_path_;
};

/// TorchScript or torch.export in, ONNX out.
class OnnxExporter final : public Optimizer {
 public:
  explicit OnnxExporter(std::filesystem::path output_path) : output_path_(std::move(output_path)) {}
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return output_path_; }
  std::string output_format(const std::string& /*input_format*/) const override { return "onnx"; }

 private:
  std::filesystem::path output_path_;
};

}  // namespace kenning::libtorch
