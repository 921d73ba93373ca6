// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "ExecuTorchRuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::executorch_engine {

inline constexpr const char* kVersion = "1.5.1";

class EtRuntime final : public Runtime {
 public:
  EtRuntime(int num_threads, std::filesystem::path model_path)
      : num_threads_(num_threads), model_path_(std::move(model_path)) {}
  static Result<std::unique_ptr<Runtime>> Make(const Params& params);

  EngineVersion engine() const override { return {"executorch", kVersion}; }
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  int num_threads_;
  std::filesystem::path model_path_;
};

}  // namespace kenning::executorch_engine
