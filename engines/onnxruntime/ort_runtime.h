// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "ONNXRuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::ort {

/// Settings of a session, from the block's parameters.
struct SessionSettings {
  std::vector<std::string> execution_providers = {"CPUExecutionProvider"};
  int num_threads = 0;
  int inter_op_threads = 1;
  std::string graph_level = "all";
  bool profiling = false;
  bool allow_spinning = true;
};

class OnnxRuntime final : public Runtime {
 public:
  OnnxRuntime(SessionSettings settings, std::filesystem::path model_path)
      : settings_(std::move(settings)), model_path_(std::move(model_path)) {}
  static Result<std::unique_ptr<Runtime>> Make(const Params& params);

  EngineVersion engine() const override;
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  SessionSettings settings_;
  std::filesystem::path model_path_;
};

}  // namespace kenning::ort
