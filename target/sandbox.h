// SPDX-License-Identifier: Apache-2.0
/// \file
/// What holds a session's process: resource limits, Landlock, a filter of system calls
/// (docs/adr/0009-agent-processes.md).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::target {

struct SandboxPlan {
  bool enabled = true;           ///< false: only the resource limits.
  bool allow_processes = false;  ///< For toolchains.
  std::vector<std::filesystem::path> writable_folders;
  std::vector<std::filesystem::path> writable_files;
  std::uint64_t max_memory_bytes = 0;  ///< Private memory, by RLIMIT_DATA; 0: no limit.
  std::uint64_t max_file_bytes = 0;    ///< Of one file.
};

/// Enters the sandbox, for good; call it before any thread is started. Layers that the kernel does
/// not have are left out with a warning. \return the layers that are on: "no-new-privs", "rlimits",
/// "landlock-7", "seccomp".
std::vector<std::string> EnterSandbox(const SandboxPlan& plan);

/// Becomes `user` for good (all groups, too), where this process is root. Empty: "kenning" where
/// there is one, else "nobody". \return the user's name; kNotFound, kIo.
Result<std::string> LeaveRoot(const std::string& user,
                              const std::vector<std::filesystem::path>& folders_to_hand_over);

}  // namespace kenning::target
