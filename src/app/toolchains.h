// SPDX-License-Identifier: Apache-2.0
/// \file
/// The toolchains that a scenario's blocks need.
#pragma once

#include <string>
#include <vector>

#include "app/app.h"

namespace kenning {

/// Sees that the toolchains which the steps need are there. `formats` are those of the plan, or
/// empty before they are known: then only what a block needs for every format is looked at.
/// Installs what is missing where the context says so. \return kUnavailable with the command that
/// installs it, kInternal where a block names a toolchain that this build does not have.
Result<> ProvideToolchains(const Scenario& scenario, const StepSet& steps,
                           const std::vector<std::string>& formats, AppContext& context);

}  // namespace kenning
