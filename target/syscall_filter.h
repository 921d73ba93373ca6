// SPDX-License-Identifier: Apache-2.0
/// \file
/// The system calls that a session's process may make, as a seccomp filter.
///
/// | group | what happens |
/// |---|---|
/// | computing, threads, memory, files, the socket that is there | allowed |
/// | new sockets, io_uring, performance counters, signals to others | EPERM |
/// | exec, ptrace, mount, users, modules, kexec, bpf, namespaces, keys, clocks | the process is
/// killed | | everything else | ENOSYS, so that libraries fall back |
#pragma once

#include <linux/filter.h>

#include <vector>

#include "kenning/base/result.h"

namespace kenning::target {

struct FilterOptions {
  bool allow_processes = false;  ///< Children and exec, for toolchains.
  int own_pid = 0;               ///< The only process that may be signalled.
};

/// The program for this machine's architecture. \return kUnsupported for another than x86-64 and
/// AArch64.
Result<std::vector<sock_filter>> MakeSyscallFilter(const FilterOptions& options);

/// Puts the filter on all threads of this process, for good. \return kUnsupported where the kernel
/// has no seccomp filters.
Result<> InstallSyscallFilter(const FilterOptions& options);

}  // namespace kenning::target
