// SPDX-License-Identifier: Apache-2.0
#include "torch_runtime.h"

#include <fmt/format.h>

#include "kenning/base/uri.h"
#include "torch_session.h"

namespace kenning::libtorch {

Result<std::unique_ptr<Runtime>> TorchRuntime::Make(const Params& params) {
  SessionSettings settings;
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  settings.skip_jit = params.Bool("skip_jit");
  settings.profiling = params.Bool("profiling");
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<TorchRuntime>(settings, std::move(model_path));
}

EngineVersion TorchRuntime::engine() const { return {"libtorch", Version()}; }

Result<std::unique_ptr<Session>> TorchRuntime::Load(const std::filesystem::path& path,
                                                    const std::string& format) {
  if (format != "torchscript" && format != "torch_export") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: PyTorchRuntime runs formats \"torchscript\" and \"torch_export\", "
                            "not \"{}\"; add the optimizer PyTorchCompiler, or choose another "
                            "runtime",
                            path.string(), format));
  }
  return TorchSession::Load(path, format, settings_);
}

}  // namespace kenning::libtorch
