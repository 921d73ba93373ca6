// SPDX-License-Identifier: Apache-2.0
/// \file
/// One value of a scenario file against one declared parameter.
#pragma once

#include "kenning/base/result.h"
#include "kenning/registry/param_schema.h"
#include "scenario/node.h"

namespace kenning::scenario {

/// The node as the parameter's type (an integer serves as a float), within its allowed values and
/// range. \return kInvalidScenario: what was found and what is allowed.
Result<ParamValue> ParamFromNode(const ParamSpec& spec, const Node& node);

}  // namespace kenning::scenario
