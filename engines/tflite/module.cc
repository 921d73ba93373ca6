// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"
#include "model_file/model_file.h"
#include "tflite_compiler.h"
#ifdef KENNING_TFLITE_SDK
#include "tflite_c_api.h"
#include "tflite_runtime.h"
#endif

namespace kenning::tflite {
namespace {

std::string Version() {
#ifdef KENNING_TFLITE_SDK
  return TfLiteVersion();
#else
  return "without its library";
#endif
}

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& /*context*/) {
#ifdef KENNING_TFLITE_SDK
  if (block == "TFLiteRuntime") return TfliteRuntime::Make(params);
#else
  static_cast<void>(params);
#endif
  return Fail(ErrorCode::kUnavailable,
              fmt::format("the tflite engine of this build has no runtime {}", block));
}

Result<std::unique_ptr<Optimizer>> MakeOptimizer(std::string_view block, const Params& params,
                                                 BlockContext& /*context*/) {
  if (block == "TFLiteCompiler") return TfliteCompiler::Make(params);
  return Fail(ErrorCode::kInternal, fmt::format("the tflite engine has no optimizer {}", block));
}

Result<ModelFile> ReadModel(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadModelBytes(path));
  return ParseModel(bytes, path.string());
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view /*format*/) {
  KENNING_ASSIGN_OR_RETURN(const ModelFile model, ReadModel(path));
  return SpecOfModel(model, path.string());
}

Result<GraphInfo> ReadGraph(const std::filesystem::path& path, std::string_view /*format*/) {
  KENNING_ASSIGN_OR_RETURN(const ModelFile model, ReadModel(path));
  return GraphOfModel(model);
}

constexpr EngineModule kModule = {
    .name = "tflite",
    .version = Version,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .make_optimizer = MakeOptimizer,
    .inspect = Inspect,
    .read_graph = ReadGraph,
};

}  // namespace
}  // namespace kenning::tflite

extern "C" const kenning::EngineModule* kenning_engine_tflite_module();
extern "C" const kenning::EngineModule* kenning_engine_tflite_module() {
  return &kenning::tflite::kModule;
}
