// SPDX-License-Identifier: Apache-2.0
/// \file
/// Words to whoever started the agent.
#pragma once

#include <string_view>

namespace kenning::target {

/// To systemd, where $NOTIFY_SOCKET names its socket: "READY=1", "STOPPING=1", "STATUS=…". Failures
/// are passed over, as nothing depends on it.
void NotifyServiceManager(std::string_view state);

/// Writes a line to a descriptor and closes it; nothing for -1.
void TellReady(int descriptor, std::string_view address);

}  // namespace kenning::target
