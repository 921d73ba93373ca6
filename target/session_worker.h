// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inside of a session's process.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>

#include "kenning/core/transport.h"
#include "session_page.h"

namespace kenning::target {

struct SessionSetup;

/// Right after fork: leaves the main process's things behind, enters the sandbox, serves the
/// channel, and ends the process with the exit code of how the session ended.
[[noreturn]] void RunSessionWorker(Channel& channel, const SessionSetup& setup, SessionPage* page,
                                   const std::filesystem::path& scratch, pid_t parent);

/// The same for a client that comes while another is served: answers its first request with a
/// failure that says so, in bounded time.
[[noreturn]] void RunBusyWorker(Channel& channel, const WireSettings& settings,
                                const std::string& text, pid_t parent);

/// The network's greeting and a line of LOGS: all that can be said without reading a request.
Result<> SendBusyNotice(Channel& channel, const std::string& text, Deadline deadline);

}  // namespace kenning::target
