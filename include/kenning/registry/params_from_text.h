// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameter values from command-line text, and defaults.
#pragma once

#include "kenning/base/result.h"
#include "kenning/registry/param_schema.h"

namespace kenning {

/// Text of a flag as the parameter's type: lists are comma-separated or a JSON list, booleans are
/// true/false/yes/no/1/0 or empty (the bare flag), "null" is null where that is allowed.
/// \return kInvalidScenario saying what was found and what is allowed.
Result<ParamValue> ParamFromText(const ParamSpec& spec, const std::string& text);

/// Allowed values and range. \return kInvalidScenario with the nearest allowed name.
Result<> CheckParamValue(const ParamSpec& spec, const ParamValue& value);

/// Every parameter that has a default.
Params DefaultParams(const ParamSchema& schema);

}  // namespace kenning
