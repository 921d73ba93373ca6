// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameter "device": a known target's parameters in the place of defaults.
#pragma once

#include <string_view>

#include "kenning/base/result.h"
#include "kenning/registry/param_schema.h"

namespace kenning {

ParamSpec DeviceParam();

/// Where `params` name a device, its parameters take the place of those that have their default
/// value: what a scenario or a flag gives wins. `protocol`: canonical name of the block.
/// \return kNotFound (no such device), kInvalidData (its entry does not fit the block).
Result<Params> WithDevice(const Params& params, const ParamSchema& schema,
                          std::string_view protocol);

}  // namespace kenning
