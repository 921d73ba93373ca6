// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "et_runtime.h"
#include "et_session.h"
#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"

namespace kenning::executorch_engine {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block == "ExecuTorchRuntime") return EtRuntime::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the executorch engine has no runtime {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view /*format*/) {
  return EtSession::Inspect(path);
}

constexpr EngineModule kModule = {
    .name = "executorch",
    .version = [] { return std::string(kVersion); },
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .inspect = Inspect,
};

}  // namespace
}  // namespace kenning::executorch_engine

extern "C" const kenning::EngineModule* kenning_engine_executorch_module();
extern "C" const kenning::EngineModule* kenning_engine_executorch_module() {
  return &kenning::executorch_engine::kModule;
}
