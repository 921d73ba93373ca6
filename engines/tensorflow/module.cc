// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "kenning/base/log.h"
#include "kenning/registry/engine_module.h"
#include "keras_export.h"
#include "saved_model.h"
#include "tf_library.h"
#include "tf_runtime.h"

namespace kenning::tensorflow {
namespace {

Result<std::unique_ptr<Runtime>> MakeRuntime(std::string_view block, const Params& params,
                                             BlockContext& context) {
  if (block == "TensorFlowRuntime") return TensorFlowRuntime::Make(params, context);
  return Fail(ErrorCode::kInternal, fmt::format("the tensorflow engine has no runtime {}", block));
}

Result<ModelSpec> Inspect(const std::filesystem::path& path, std::string_view format) {
  return format == "keras" ? SpecOfKeras(path) : InspectSavedModel(path);
}

constexpr EngineModule kModule = {
    .name = "tensorflow",
    .version = LoadedVersion,
    .set_log_level = [](int level) { SetLogLevel(static_cast<LogLevel>(level)); },
    .make_runtime = MakeRuntime,
    .inspect = Inspect,
};

}  // namespace
}  // namespace kenning::tensorflow

extern "C" const kenning::EngineModule* kenning_engine_tensorflow_module();
extern "C" const kenning::EngineModule* kenning_engine_tensorflow_module() {
  return &kenning::tensorflow::kModule;
}
