// SPDX-License-Identifier: Apache-2.0
/// \file
/// The runtime that computes nothing.
#pragma once

#include "kenning/core/runtime.h"

namespace kenning::null_engine {

/// Reads a `*.null` file. \return kNotFound, kInvalidModel.
Result<ModelSpec> InspectNull(const std::filesystem::path& path);

class NullRuntime final : public Runtime {
 public:
  explicit NullRuntime(std::filesystem::path model_path) : model_path_(std::move(model_path)) {}
  EngineVersion engine() const override { return {"null", "1"}; }
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  std::filesystem::path model_path_;
};

}  // namespace kenning::null_engine
