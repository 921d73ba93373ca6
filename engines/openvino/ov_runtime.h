// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "OpenVINORuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::openvino {

/// Settings of a session, from the block's parameters.
struct SessionSettings {
  std::string performance_hint = "latency";
  int num_threads = 0;
  int num_streams = 0;
  std::string inference_precision = "float32";
  bool profiling = false;
};

class OpenVinoRuntime final : public Runtime {
 public:
  OpenVinoRuntime(SessionSettings settings, std::filesystem::path model_path)
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

}  // namespace kenning::openvino
