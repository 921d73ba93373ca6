// SPDX-License-Identifier: Apache-2.0
/// \file
/// A run under a load pattern in words. Internal to this folder.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "measure/load_verdict.h"

namespace kenning {

/// What was asked for: "server, 120 queries/s, p99 within 10.0 ms".
std::string LoadTitle(const LoadRun& load);
/// The figures, as pairs of a name and a value, without markup.
std::vector<std::pair<std::string, std::string>> LoadFigures(const LoadRun& load,
                                                             const LoadVerdict& verdict);

}  // namespace kenning
