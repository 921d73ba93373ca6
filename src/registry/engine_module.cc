// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/engine_module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

#include "kenning/base/log.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

std::vector<std::filesystem::path> SearchFolders() {
  std::vector<std::filesystem::path> folders;
  if (const char* given = std::getenv("KENNING_ENGINE_PATH"); given != nullptr) {
    std::string_view rest = given;
    while (!rest.empty()) {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    folders.push_back(self.parent_path());
    folders.push_back(self.parent_path().parent_path() / "lib" / "kenning");
    folders.push_back(self.parent_path().parent_path() / "lib" / "x86_64-linux-gnu" / "kenning");
    folders.push_back(self.parent_path().parent_path() / "lib" / "aarch64-linux-gnu" / "kenning");
  }
  return folders;
}

Result<std::filesystem::path> FindModule(std::string_view file_name) {
  std::vector<std::string> tried;
  for (const std::filesystem::path& folder : SearchFolders()) {
    const std::filesystem::path path = folder / file_name;
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return path;
    tried.push_back(path.string());
  }
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("{} is not installed; looked for {} (set KENNING_ENGINE_PATH, or build with "
                  "the engine's SDK: docs/howto/build.md)",
                  file_name, Join(tried)));
}

std::string ModuleFile(std::string_view engine) {
  return fmt::format("kenning_engine_{}.so", engine);
}

Result<const EngineModule*> OpenEngine(std::string_view engine) {
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path, FindModule(ModuleFile(engine)));
  // Never closed: engines keep threads and thread-local state that outlive any session.
  void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} cannot be loaded: {}", path.string(), reason ? reason : "unknown"));
  }
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
  const auto path = FindModule(ModuleFile(engine));
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

}  // namespace kenning
