// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads of exact sizes over any Channel.
#pragma once

#include "kenning/core/transport.h"

namespace kenning {

/// Fills `out`. \return kTargetLost where the other side closed before, or the channel's error.
Result<> ReadExactly(Channel& channel, MutableBytes out, Deadline deadline);

}  // namespace kenning
