// SPDX-License-Identifier: Apache-2.0
#include "iree_runtime.h"

#include <fmt/format.h>

#include "iree_session.h"
#include "kenning/base/uri.h"

namespace kenning::iree {

Result<std::unique_ptr<Runtime>> IreeRuntime::Make(const Params& params) {
  DeviceSettings settings;
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  if (params.Has("driver")) settings.driver = params.String("driver");
  if (!settings.driver.empty() && !settings.driver.starts_with("local-")) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("driver \"{}\" is not in this build of IREE {}: it has local-task and "
                            "local-sync, which run on the CPU",
                            settings.driver, Version()));
  }
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<IreeRuntime>(std::move(settings), std::move(model_path));
}

EngineVersion IreeRuntime::engine() const { return {"iree", Version()}; }

Result<std::unique_ptr<Session>> IreeRuntime::Load(const std::filesystem::path& path,
                                                   const std::string& format) {
  if (format != "iree") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: IREE runs format \"iree\" (.vmfb), not \"{}\"; add the optimizer "
                            "IREECompiler, or choose another runtime",
                            path.string(), format));
  }
  return IreeSession::Load(path, settings_);
}

}  // namespace kenning::iree
