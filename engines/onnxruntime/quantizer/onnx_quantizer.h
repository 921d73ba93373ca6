// SPDX-License-Identifier: Apache-2.0
/// \file
/// ONNXQuantizer: post-training static quantisation of ONNX models to 8 bits, in QDQ form.
#pragma once

#include <memory>

#include "kenning/core/optimizer.h"
#include "kenning/registry/registry.h"
#include "quantizer/settings.h"

namespace kenning::quantizer {

class OnnxQuantizer final : public Optimizer {
 public:
  OnnxQuantizer(Settings settings, std::map<std::string, std::string> parameters)
      : settings_(std::move(settings)), parameters_(std::move(parameters)) {}

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return settings_.output_path; }
  std::string output_format(const std::string& /*input_format*/) const override { return "onnx"; }

 private:
  Settings settings_;
  std::map<std::string, std::string> parameters_;  ///< For the provenance.
};

Result<std::unique_ptr<Optimizer>> MakeOnnxQuantizer(const Params& params, BlockContext& context);

}  // namespace kenning::quantizer
