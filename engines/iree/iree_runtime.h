// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "IREERuntime".
#pragma once

#include "iree_device.h"
#include "kenning/core/runtime.h"
#include "kenning/registry/param_schema.h"

namespace kenning::iree {

class IreeRuntime final : public Runtime {
 public:
  IreeRuntime(DeviceSettings settings, std::filesystem::path model_path)
      : settings_(std::move(settings)), model_path_(std::move(model_path)) {}
  /// \return kUnavailable for a driver of a GPU.
  static Result<std::unique_ptr<Runtime>> Make(const Params& params);

  EngineVersion engine() const override;
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  DeviceSettings settings_;
  std::filesystem::path model_path_;
};

}  // namespace kenning::iree
