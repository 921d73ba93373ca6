// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/base/uri.h"
#include "kenning/registry/engine_module.h"
#include "null_runtime.h"

namespace kenning::null_engine {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block != "NullRuntime") {
    return Fail(ErrorCode::kInternal, fmt::format("the null engine has no runtime {}", block));
  }
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<NullRuntime>(std::move(model_path));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view /*format*/) {
  return InspectNull(path);
}

constexpr EngineModule kModule = {
    .name = "null",
    .version = [] { return std::string("1"); },
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .inspect = Inspect,
};

}  // namespace
}  // namespace kenning::null_engine

extern "C" const kenning::EngineModule* kenning_engine_null_module();
extern "C" const kenning::EngineModule* kenning_engine_null_module() {
  return &kenning::null_engine::kModule;
}
