// SPDX-License-Identifier: Apache-2.0
/// \file
/// Optimizer "TVMCompiler": machine code by Apache TVM, in the toolchain "tvm", with tuned
/// schedules.
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/core/optimizer.h"
#include "kenning/registry/param_schema.h"

namespace kenning::tvm_engine {

class TvmCompiler final : public Optimizer {
 public:
  struct Settings {
    std::filesystem::path output_path;
    std::string model_framework = "any";
    std::string target = "llvm";
    std::int64_t opt_level = 3;
    bool tune = true;
    std::int64_t trials = 32;
    std::int64_t time_s = 600;
    std::int64_t threads = 0;
    std::filesystem::path database;
    std::vector<std::string> notes;  ///< About parameters that change nothing.
  };
  explicit TvmCompiler(Settings settings) : settings_(std::move(settings)) {}
  static Result<std::unique_ptr<Optimizer>> Make(const Params& params);

  Result<ModelArtifact> Optimize(const ModelArtifact& input, OptimizeContext& context) override;
  std::filesystem::path output_path() const override { return settings_.output_path; }
  std::string output_format(const std::string& /*input_format*/) const override { return "tvm"; }

 private:
  nlohmann::json Request(const ModelArtifact& input, const std::filesystem::path& output) const;

  Settings settings_;
};

}  // namespace kenning::tvm_engine
