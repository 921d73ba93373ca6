// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"
#include "tvm_artifact.h"
#include "tvm_compiler.h"
#include "tvm_runtime.h"

namespace kenning::tvm_engine {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block == "TVMRuntime") return TvmRuntime::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the tvm engine has no runtime {}", block));
}

Result<std::unique_ptr<Optimizer>> MakeOptimizer(std::string_view block, const Params& params,
                                                 BlockContext& /*context*/) {
  if (block == "TVMCompiler") return TvmCompiler::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the tvm engine has no optimizer {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view /*format*/) {
  KENNING_ASSIGN_OR_RETURN(TvmArtifact artifact, ReadTvmArtifact(path));
  return std::move(artifact.spec);
}

constexpr EngineModule kModule = {
    .name = "tvm",
    .version = Version,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .make_optimizer = MakeOptimizer,
    .inspect = Inspect,
};

}  // namespace
}  // namespace kenning::tvm_engine

extern "C" const kenning::EngineModule* kenning_engine_tvm_module();
extern "C" const kenning::EngineModule* kenning_engine_tvm_module() {
  return &kenning::tvm_engine::kModule;
}
