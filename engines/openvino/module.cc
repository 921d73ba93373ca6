// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"
#include "ov_api.h"
#include "ov_compiler.h"
#include "ov_graph.h"
#include "ov_runtime.h"

namespace kenning::openvino {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block == "OpenVINORuntime") return OpenVinoRuntime::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the openvino engine has no runtime {}", block));
}

Result<std::unique_ptr<Optimizer>> MakeOptimizer(std::string_view block, const Params& params,
                                                 BlockContext& /*context*/) {
  if (block == "OpenVINOCompiler") return OpenVinoCompiler::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the openvino engine has no optimizer {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view format) {
  return InspectModel(path, format);
}

Result<GraphInfo> ReadGraphOf(const std::filesystem::path& path, std::string_view format) {
  return ReadGraph(path, format);
}

constexpr EngineModule kModule = {
    .name = "openvino",
    .version = Version,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .make_optimizer = MakeOptimizer,
    .inspect = Inspect,
    .read_graph = ReadGraphOf,
};

}  // namespace
}  // namespace kenning::openvino

extern "C" const kenning::EngineModule* kenning_engine_openvino_module();
extern "C" const kenning::EngineModule* kenning_engine_openvino_module() {
  return &kenning::openvino::kModule;
}
