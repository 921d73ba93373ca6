// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "PyTorchRuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::libtorch {

struct SessionSettings {
  int num_threads = 0;     ///< 0: LibTorch's own number.
  bool skip_jit = false;   ///< Run the module as stored: neither frozen nor optimised.
  bool profiling = false;  ///< Record the time of each operator.
};

class TorchRuntime final : public Runtime {
 public:
  TorchRuntime(SessionSettings settings, std::filesystem::path model_path)
      : settings_(settings), model_path_(std::move(model_path)) {}
  static Result<std::unique_ptr<Runtime>> Make(const Params& params);

  EngineVersion engine() const override;
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  SessionSettings settings_;
  std::filesystem::path model_path_;
};

}  // namespace kenning::libtorch
