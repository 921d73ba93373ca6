// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "TVMRuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::tvm_engine {

/// Settings of a session, from the block's parameters.
struct SessionSettings {
  int num_threads = 0;  ///< 0: the processors that this process may use.
  bool profiling = false;
};

/// The version of TVM's run time that this engine is built for.
std::string Version();

class TvmRuntime final : public Runtime {
 public:
  TvmRuntime(SessionSettings settings, std::filesystem::path model_path)
      : settings_(settings), model_path_(std::move(model_path)) {}
  static Result<std::unique_ptr<Runtime>> Make(const Params& params);

  EngineVersion engine() const override { return {"tvm", Version()}; }
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  SessionSettings settings_;
  std::filesystem::path model_path_;
};

}  // namespace kenning::tvm_engine
