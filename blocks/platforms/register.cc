// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/check.h"
#include "kenning/registry/registry.h"
#include "local_platform.h"
#include "measure/environment.h"

namespace kenning {
namespace {

ParamSchema LocalPlatformSchema() {
  return {{
      {.name = "name",
       .type = ParamType::kString,
       .description = "Name shown in reports; by default the machine's own.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "platforms_definitions",
       .type = ParamType::kStringList,
       .description = "Accepted for Kenning's scenarios; the local machine describes itself.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "target_features",
       .type = ParamType::kStringList,
       .description = "CPU features to prepare models for, instead of this CPU's: for example "
                      "[\"avx2\"] for a CPU without VNNI.",
       .default_value = ParamValue{},
       .nullable = true},
  }};
}

}  // namespace

void RegisterPlatforms(Registry& registry) {
  BlockInfo local;
  local.category = BlockCategory::kPlatform;
  local.name = "LocalPlatform";
  local.aliases = {"kenning.platforms.local.LocalPlatform"};
  local.summary = "The machine that kenning runs on.";
  local.schema = LocalPlatformSchema();
  local.make_platform = [](const Params& params,
                           BlockContext&) -> Result<std::unique_ptr<Platform>> {
    PlatformInfo info = DescribeHost();
    if (params.Has("name")) info.name = params.String("name");
    if (params.Has("target_features")) {
      info.features = params.StringList("target_features");
      info.extra["target_features"] = "given by the scenario, not read from this CPU";
    }
    return std::make_unique<LocalPlatform>(std::move(info));
  };
  KENNING_CHECK(registry.Add(std::move(local)).has_value());
}

}  // namespace kenning
