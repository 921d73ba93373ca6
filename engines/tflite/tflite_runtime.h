// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "TFLiteRuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::tflite {

/// Settings of a session, from the block's parameters.
struct SessionSettings {
  int num_threads = 0;  ///< 0: the cores that the process may use.
  bool xnnpack = true;
  std::vector<std::string> delegates;         ///< Libraries of external delegates.
  std::vector<std::string> delegate_options;  ///< "key=value", given to each of them.
  bool profiling = false;
};

/// Physical cores among the CPUs that this process may run on; at least 1.
int UsableCores();

class TfliteRuntime final : public Runtime {
 public:
  TfliteRuntime(SessionSettings settings, std::filesystem::path model_path)
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

}  // namespace kenning::tflite
