// SPDX-License-Identifier: Apache-2.0
#include "app/toolchains.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/formats.h"
#include "kenning/base/log.h"
#include "kenning/toolchain/toolchain.h"

namespace kenning {
namespace {

Result<> Provide(const BlockInfo& block, const std::string& key_path, const std::string& format,
                 AppContext& context) {
  const auto needed = block.toolchains.find(format);
  if (needed == block.toolchains.end()) return {};
  for (const std::string& name : needed->second) {
    KENNING_ASSIGN_OR_RETURN(const ToolchainInfo info, FindToolchain(name));
    if (ToolchainInstalled(info)) continue;
    if (!context.install_toolchains) {
      const Error missing = ToolchainMissing(info);
      return Fail(missing.code(), fmt::format("{} ({}): {}, or give --install-missing", key_path,
                                              block.name, missing.message()));
    }
    LogInfo("{} ({}): installing the toolchain {}", key_path, block.name, name);
    KENNING_RETURN_IF_ERROR(InstallToolchain(info, context.progress, context.cancel),
                            "installing the toolchain " + name);
  }
  return {};
}

/// The runtime that a test takes where the scenario names none.
const BlockInfo* DefaultRuntime(const std::string& format, const Registry& registry) {
  const auto runtimes = RuntimesFor(format, registry);
  return runtimes.empty() ? nullptr : runtimes.front();
}

}  // namespace

Result<> ProvideToolchains(const Scenario& scenario, const StepSet& steps,
                           const std::vector<std::string>& formats, AppContext& context) {
  const bool known = !formats.empty();
  for (std::size_t i = 0; steps.optimize && i < scenario.optimizers.size(); ++i) {
    const ScenarioBlock& block = scenario.optimizers[i];
    if (RunsOnTarget(block)) continue;
    KENNING_RETURN_IF_ERROR(Provide(*block.info, block.key_path, known ? formats[i] : "", context));
  }
  // What runs on the target is the target's to provide.
  if (!steps.test || scenario.protocol) return {};
  if (scenario.runtime) {
    return Provide(*scenario.runtime->info, scenario.runtime->key_path, known ? formats.back() : "",
                   context);
  }
  const BlockInfo* runtime = known ? DefaultRuntime(formats.back(), context.registry) : nullptr;
  if (runtime == nullptr) return {};
  KENNING_RETURN_IF_ERROR(Provide(*runtime, "runtime", "", context));
  return Provide(*runtime, "runtime", formats.back(), context);
}

}  // namespace kenning
