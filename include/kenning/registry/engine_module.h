// SPDX-License-Identifier: Apache-2.0
/// \file
/// The border between kenning and an engine's shared object, `kenning_engine_<name>.so`.
/// An engine folder has two halves: descriptors (schemas, linked into the command, no SDK) and the
/// module (linked against the SDK, loaded when a plan first needs it, never unloaded).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kenning/registry/registry.h"

namespace kenning {

/// Raised whenever any type that crosses the border changes.
inline constexpr std::uint32_t kEngineAbiVersion = 4;

/// What the module's one C symbol, `kenning_engine_module`, returns (static storage). The symbol is
/// generated; an engine `x` defines `extern "C" const EngineModule* kenning_engine_x_module()`.
struct EngineModule {
  std::uint32_t abi_version = kEngineAbiVersion;
  const char* name = "";
  std::string (*version)() = nullptr;
  /// The module has its own copy of the log state; called once after loading. Takes a LogLevel.
  void (*set_log_level)(int level) = nullptr;
  /// Factories by canonical block name; null where the engine has no such category.
  Result<std::unique_ptr<Runtime>> (*make_runtime)(std::string_view block, const Params& params,
                                                   BlockContext& context) = nullptr;
  Result<std::unique_ptr<Optimizer>> (*make_optimizer)(std::string_view block, const Params& params,
                                                       BlockContext& context) = nullptr;
  Result<ModelSpec> (*inspect)(const std::filesystem::path& path,
                               std::string_view format) = nullptr;
  /// The operators of a model; null where the engine does not read them.
  Result<GraphInfo> (*read_graph)(const std::filesystem::path& path,
                                  std::string_view format) = nullptr;
};
using EngineModuleEntry = const EngineModule* (*)();

/// Loads (once) the module of an engine. Looks in $KENNING_ENGINE_PATH, beside the executable, and
/// in
/// ../lib/kenning. Thread-safe. \return kUnavailable with the places tried, or with both ABI
/// versions.
Result<const EngineModule*> LoadEngine(std::string_view engine);

/// Whether the module's file is there; does not load it.
Availability ProbeEngine(std::string_view engine);

/// Factories that load the engine on first use; for an engine's register.cc.
RuntimeFactory LazyRuntime(std::string engine, std::string block);
OptimizerFactory LazyOptimizer(std::string engine, std::string block);
ModelInspector LazyInspector(std::string engine, std::string format);
GraphReader LazyGraphReader(std::string engine, std::string format);

}  // namespace kenning
