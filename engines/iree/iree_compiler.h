// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizer "IREECompiler". The compiler itself runs in the toolchain "iree" (workers/compile.py);
/// models that are not ONNX are made so by the converter of the engine onnxruntime, in the
/// toolchain "tensorflow".
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/core/optimizer.h"
#include "kenning/registry/param_schema.h"

namespace kenning::iree {

struct CompilerSettings {
  std::filesystem::path output_path;
  std::string backend = "llvm-cpu";
  std::string target_cpu = "host";
  std::string target_cpu_features;
  std::string opt_level = "O3";
  bool data_tiling = true;
  std::string conv_layout = "auto";
  int batch_size = 1;  ///< 0: dynamic dimensions stay.
  bool verify = true;
  std::vector<std::string> compiler_args;
};

class IreeCompiler final : public Optimizer {
 public:
  explicit IreeCompiler(CompilerSettings settings) : settings_(std::move(settings)) {}
  /// \return kUnavailable for a backend of a GPU, kInvalidScenario for an option that would move
  /// the output.
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return settings_.output_path; }
  std::string output_format(const std::string& /*input_format*/) const override { return "iree"; }

 private:
  nlohmann::json Request(const ModelSpec& spec, const std::filesystem::path& output,
                         const std::filesystem::path& folder) const;
  ProvenanceStep Step() const;

  CompilerSettings settings_;
};

}  // namespace kenning::iree
