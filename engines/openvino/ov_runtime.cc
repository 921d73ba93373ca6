// SPDX-License-Identifier: Apache-2.0
#include "ov_runtime.h"

#include "kenning/base/uri.h"
#include "ov_api.h"
#include "ov_session.h"

namespace kenning::openvino {

Result<std::unique_ptr<Runtime>> OpenVinoRuntime::Make(const Params& params) {
  SessionSettings settings;
  settings.performance_hint = params.String("performance_hint");
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  settings.num_streams = static_cast<int>(params.Int("num_streams"));
  settings.inference_precision = params.String("inference_precision");
  settings.profiling = params.Bool("profiling");
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<OpenVinoRuntime>(std::move(settings), std::move(model_path));
}

EngineVersion OpenVinoRuntime::engine() const { return {"openvino", Version()}; }

Result<std::unique_ptr<Session>> OpenVinoRuntime::Load(const std::filesystem::path& path,
                                                       const std::string& format) {
  return OvSession::Load(path, format, settings_);
}

}  // namespace kenning::openvino
