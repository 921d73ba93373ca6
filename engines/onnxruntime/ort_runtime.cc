// SPDX-License-Identifier: Apache-2.0
#include "ort_runtime.h"

#include <fmt/format.h>

#include "kenning/base/uri.h"
#include "ort_session.h"

namespace kenning::ort {

Result<std::unique_ptr<Runtime>> OnnxRuntime::Make(const Params& params) {
  SessionSettings settings;
  settings.execution_providers = params.StringList("execution_providers");
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  settings.inter_op_threads = static_cast<int>(params.Int("inter_op_threads"));
  settings.graph_level = params.String("graph_optimization_level");
  settings.profiling = params.Bool("profiling");
  settings.allow_spinning = params.Bool("allow_spinning");
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<OnnxRuntime>(std::move(settings), std::move(model_path));
}

EngineVersion OnnxRuntime::engine() const { return {"onnxruntime", Version()}; }

Result<std::unique_ptr<Session>> OnnxRuntime::Load(const std::filesystem::path& path,
                                                   const std::string& format) {
  if (format != "onnx") {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: ONNX Runtime runs format \"onnx\", not \"{}\"; add an optimizer that "
                    "produces ONNX, or choose another runtime",
                    path.string(), format));
  }
  return OrtSession::Load(path, settings_);
}

}  // namespace kenning::ort
