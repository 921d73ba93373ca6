// SPDX-License-Identifier: Apache-2.0
/// \file
/// The JSON of a run under a load pattern, both ways. Internal to this folder; the reader throws
/// json::exception.
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/core/load_run.h"

namespace kenning {

nlohmann::json LoadToJson(const LoadRun& load, std::int64_t base_ns);
LoadRun LoadFromJson(const nlohmann::json& item, std::int64_t base_ns);

}  // namespace kenning
