// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/engine_module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <map>
#include <mutex>

#include "kenning/base/log.h"
#include "kenning/base/modules.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

// Some libraries (protobuf) want thread-local variables of a cache line's alignment in the block
// that the loader lays out when the program starts. On AArch64 it takes them later only where the
// program itself has one such variable; else the engine "cannot be loaded: cannot allocate memory
// in static TLS block".
alignas(64) thread_local volatile char g_cache_line = 0;

std::string ModuleFile(std::string_view engine) {
  return fmt::format("kenning_engine_{}.so", engine);
}

Result<std::filesystem::path> FindEngine(std::string_view engine) {
  const std::string file_name = ModuleFile(engine);
  ModuleSearch search = FindModule(file_name);
  if (!search.found.empty()) return std::move(search.found);
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("{} is not installed; looked for {} (set KENNING_ENGINE_PATH, or build with "
                  "the engine's SDK: docs/howto/build.md)",
                  file_name, Join(search.tried)));
}

Result<const EngineModule*> OpenEngine(std::string_view engine) {
  g_cache_line = 1;
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path, FindEngine(engine));
  KENNING_ASSIGN_OR_RETURN(void* const handle, OpenModule(path));
  const auto entry = reinterpret_cast<EngineModuleEntry>(::dlsym(handle, "kenning_engine_module"));
  if (entry == nullptr) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} is not an engine of kenning", path.string()));
  }
  const EngineModule* module = entry();
  if (module == nullptr) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} is not an engine of kenning", path.string()));
  }
  if (module->abi_version != kEngineAbiVersion) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("{} speaks version {} of the engine interface, this kenning version {}; "
                    "build both from the same source",
                    path.string(), module->abi_version, kEngineAbiVersion));
  }
  if (module->set_log_level != nullptr) module->set_log_level(static_cast<int>(GetLogLevel()));
  return module;
}

Error NoSuchPart(std::string_view engine, std::string_view part) {
  return {
      ErrorCode::kUnavailable,
      fmt::format("the installed engine {} has no {}: it comes from another build", engine, part)};
}

}  // namespace

Result<const EngineModule*> LoadEngine(std::string_view engine) {
  static std::mutex mutex;
  static std::map<std::string, const EngineModule*, std::less<>> loaded;
  const std::lock_guard lock(mutex);
  if (const auto it = loaded.find(engine); it != loaded.end()) return it->second;
  KENNING_ASSIGN_OR_RETURN(const EngineModule* module, OpenEngine(engine));
  loaded.emplace(engine, module);
  return module;
}

Availability ProbeEngine(std::string_view engine) {
  const auto path = FindEngine(engine);
  if (path) return {};
  return {false, path.error().message()};
}

RuntimeFactory LazyRuntime(std::string engine, std::string block) {
  return [engine = std::move(engine), block = std::move(block)](
             const Params& params, BlockContext& context) -> Result<std::unique_ptr<Runtime>> {
    KENNING_ASSIGN_OR_RETURN(const EngineModule* module, LoadEngine(engine));
    if (module->make_runtime == nullptr) return Fail(NoSuchPart(engine, "runtime"));
    return module->make_runtime(block, params, context);
  };
}

OptimizerFactory LazyOptimizer(std::string engine, std::string block) {
  return [engine = std::move(engine), block = std::move(block)](
             const Params& params, BlockContext& context) -> Result<std::unique_ptr<Optimizer>> {
    KENNING_ASSIGN_OR_RETURN(const EngineModule* module, LoadEngine(engine));
    if (module->make_optimizer == nullptr) return Fail(NoSuchPart(engine, "optimizer"));
    return module->make_optimizer(block, params, context);
  };
}

ModelInspector LazyInspector(std::string engine, std::string format) {
  return [engine = std::move(engine),
          format = std::move(format)](const std::filesystem::path& path) -> Result<ModelSpec> {
    KENNING_ASSIGN_OR_RETURN(const EngineModule* module, LoadEngine(engine));
    if (module->inspect == nullptr) return Fail(NoSuchPart(engine, "model inspector"));
    return module->inspect(path, format);
  };
}

GraphReader LazyGraphReader(std::string engine, std::string format) {
  return [engine = std::move(engine),
          format = std::move(format)](const std::filesystem::path& path) -> Result<GraphInfo> {
    KENNING_ASSIGN_OR_RETURN(const EngineModule* module, LoadEngine(engine));
    if (module->read_graph == nullptr) return Fail(NoSuchPart(engine, "graph reader"));
    return module->read_graph(path, format);
  };
}

}  // namespace kenning
