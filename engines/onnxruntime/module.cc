// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"
#include "onnx_graph/onnx_reader.h"
#include "ort_api.h"
#include "ort_compiler.h"
#include "ort_graph.h"
#include "ort_runtime.h"
#include "quantizer/onnx_quantizer.h"

namespace kenning::ort {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
  if (block == "ONNXRuntime") return OnnxRuntime::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the onnxruntime engine has no runtime {}", block));
}

Result<std::unique_ptr<Optimizer>> MakeOptimizer(std::string_view block, const Params& params,
                                                 BlockContext& context) {
  if (block == "ONNXCompiler") return OnnxCompiler::Make(params);
  if (block == "ONNXQuantizer") return quantizer::MakeOnnxQuantizer(params, context);
  return Fail(ErrorCode::kInternal,
              fmt::format("the onnxruntime engine has no optimizer {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view /*format*/) {
  return onnx_graph::InspectOnnx(path);
}

Result<GraphInfo> ReadGraphOf(const std::filesystem::path& path, std::string_view /*format*/) {
  return ReadGraph(path);
}

constexpr EngineModule kModule = {
    .name = "onnxruntime",
    .version = Version,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .make_optimizer = MakeOptimizer,
    .inspect = Inspect,
    .read_graph = ReadGraphOf,
};

}  // namespace
}  // namespace kenning::ort

extern "C" const kenning::EngineModule* kenning_engine_onnxruntime_module();
extern "C" const kenning::EngineModule* kenning_engine_onnxruntime_module() {
  return &kenning::ort::kModule;
}
