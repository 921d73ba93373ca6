// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times of operators out of TensorFlow's RunMetadata.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "kenning/core/runtime.h"

namespace kenning::tensorflow {

/// RunOptions that ask for a trace of every operator.
inline constexpr std::string_view kFullTrace{"\x08\x03", 2};

/// Adds the operators of one run. What cannot be read is left out: a trace is no result.
void AddStepStats(std::string_view run_metadata, std::map<std::string, OperatorProfile>& profile);

}  // namespace kenning::tensorflow
