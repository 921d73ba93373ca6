// SPDX-License-Identifier: Apache-2.0
/// \file
/// The target's part of a measurements file, both ways. Internal to this folder. Times are written
/// relative to `base_ns`, the log's start. Readers throw json::exception.
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/core/target_run.h"

namespace kenning {

nlohmann::json PlatformToJson(const PlatformInfo& platform);
PlatformInfo PlatformFromJson(const nlohmann::json& item);

nlohmann::json TargetToJson(const TargetRun& target, std::int64_t base_ns);
TargetRun TargetFromJson(const nlohmann::json& item, std::int64_t base_ns);

}  // namespace kenning
