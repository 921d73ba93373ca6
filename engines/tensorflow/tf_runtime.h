// SPDX-License-Identifier: Apache-2.0
/// \file
/// Runtime "TensorFlowRuntime".
#pragma once

#include "kenning/core/runtime.h"
#include "kenning/registry/registry.h"
#include "tf_session.h"

namespace kenning::tensorflow {

/// Runs SavedModels as they are, and Keras files through a SavedModel that is made once and kept
/// (keras_export.h).
class TensorFlowRuntime final : public Runtime {
 public:
  TensorFlowRuntime(SessionSettings settings, std::filesystem::path model_path,
                    ProgressSink* progress, const CancelToken* cancel)
      : settings_(settings),
        model_path_(std::move(model_path)),
        progress_(progress),
        cancel_(cancel) {}
  static Result<std::unique_ptr<Runtime>> Make(const Params& params, const BlockContext& context);

  EngineVersion engine() const override;
  Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                        const std::string& format) override;
  std::filesystem::path model_path() const override { return model_path_; }

 private:
  Result<std::unique_ptr<Session>> LoadKeras(const std::filesystem::path& path);

  SessionSettings settings_;
  std::filesystem::path model_path_;
  ProgressSink* progress_;
  const CancelToken* cancel_;
};

}  // namespace kenning::tensorflow
