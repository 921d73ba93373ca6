// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"
#include "torch_api.h"
#include "torch_model.h"
#include "torch_optimizers.h"
#include "torch_runtime.h"

namespace kenning::libtorch {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block == "PyTorchRuntime") return TorchRuntime::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the libtorch engine has no runtime {}", block));
}

Result<std::unique_ptr<Optimizer>> MakeOptimizer(std::string_view block, const Params& params,
                                                 BlockContext& /*context*/) {
  if (block == "PyTorchCompiler") return TorchCompiler::Make(params);
  if (block == "PyTorchONNXExporter") return OnnxExporter::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the libtorch engine has no optimizer {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view format) {
  KENNING_ASSIGN_OR_RETURN(TorchModel model, ReadTorchModel(path, std::string(format)));
  return std::move(model.spec);
}

constexpr EngineModule kModule = {
    .name = "libtorch",
    .version = Version,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .make_optimizer = MakeOptimizer,
    .inspect = Inspect,
};

}  // namespace
}  // namespace kenning::libtorch

extern "C" const kenning::EngineModule* kenning_engine_libtorch_module();
extern "C" const kenning::EngineModule* kenning_engine_libtorch_module() {
  return &kenning::libtorch::kModule;
}
