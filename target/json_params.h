// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameter values from JSON, strictly: a number is no string.
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/base/result.h"
#include "kenning/registry/registry.h"

namespace kenning::target {

/// \return kInvalidScenario: what was found and what is allowed.
Result<ParamValue> ParamFromJson(const ParamSpec& spec, const nlohmann::json& json);

/// Checks an object of parameters against the block's schema and lays it over `base`.
/// \return kInvalidScenario for an unknown name (with the nearest), or a wrong value.
Result<std::map<std::string, ParamValue, std::less<>>> ParamsFromJson(
    const BlockInfo& block, const nlohmann::json& object,
    std::map<std::string, ParamValue, std::less<>> base);

}  // namespace kenning::target
