// SPDX-License-Identifier: Apache-2.0
/// \file
/// A channel over a terminal. Private to src/transport.
#pragma once

#include <memory>
#include <string>

#include "kenning/core/transport.h"
#include "transport/unique_fd.h"

namespace kenning::internal {

/// Takes the descriptor and makes it non-blocking. A hangup is kTargetLost, as a terminal has no
/// end of its own.
std::unique_ptr<Channel> MakeStreamChannel(UniqueFd descriptor, std::string peer);

}  // namespace kenning::internal
