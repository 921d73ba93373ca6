// SPDX-License-Identifier: Apache-2.0
#include "tvm_runtime.h"

#include <fmt/format.h>

#include "kenning/base/uri.h"
#include "tvm_session.h"

namespace kenning::tvm_engine {

std::string Version() { return "0.27.0"; }

Result<std::unique_ptr<Runtime>> TvmRuntime::Make(const Params& params) {
  const std::string& context = params.String("target_device_context");
  if (context != "cpu") {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("TVMRuntime: target_device_context \"{}\": this build of TVM's run time "
                    "runs on the \"cpu\" alone",
                    context));
  }
  SessionSettings settings;
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  settings.profiling = params.Bool("profiling");
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<TvmRuntime>(settings, std::move(model_path));
}

Result<std::unique_ptr<Session>> TvmRuntime::Load(const std::filesystem::path& path,
                                                  const std::string& format) {
  if (format != "tvm") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: TVMRuntime runs format \"tvm\", not \"{}\"; add the optimizer "
                            "TVMCompiler, or choose another runtime",
                            path.string(), format));
  }
  return TvmSession::Load(path, settings_);
}

}  // namespace kenning::tvm_engine
