// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "iree_compiler.h"
#include "iree_runtime.h"
#include "iree_session.h"
#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"

namespace kenning::iree {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block == "IREERuntime") return IreeRuntime::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the iree engine has no runtime {}", block));
}

Result<std::unique_ptr<Optimizer>> MakeOptimizer(std::string_view block, const Params& params,
                                                 BlockContext& /*context*/) {
  if (block == "IREECompiler") return IreeCompiler::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the iree engine has no optimizer {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view /*format*/) {
  return IreeSession::Inspect(path);
}

constexpr EngineModule kModule = {
    .name = "iree",
    .version = Version,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .make_optimizer = MakeOptimizer,
    .inspect = Inspect,
};

}  // namespace
}  // namespace kenning::iree

extern "C" const kenning::EngineModule* kenning_engine_iree_module();
extern "C" const kenning::EngineModule* kenning_engine_iree_module() {
  return &kenning::iree::kModule;
}
