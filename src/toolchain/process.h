// SPDX-License-Identifier: Apache-2.0
/// \file
/// A child process with limits: it ends in bounded time, and nothing of it is left behind.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"

namespace kenning {

struct ProcessOptions {
  std::vector<std::string> argv;         ///< argv[0] is a path, or a name that PATH finds.
  std::vector<std::string> environment;  ///< "NAME=value"; the whole of it.
  std::filesystem::path folder;          ///< Working folder.
  std::filesystem::path log;             ///< Standard output and error; made anew.
  double time_limit_s = 3600;
  std::uint64_t memory_limit_bytes = 0;  ///< Resident, of the process group; 0: none.
  /// Gets whole lines that the child writes to descriptor $KENNING_PROGRESS_FD; may be empty.
  std::function<void(std::string_view line)> on_progress;
};

enum class ProcessEnd : std::uint8_t { kExited, kSignalled, kTimedOut, kOutOfMemory, kCancelled };

struct ProcessResult {
  ProcessEnd end = ProcessEnd::kExited;
  int code = 0;  ///< Exit code, or the signal.
  std::uint64_t peak_resident_bytes = 0;
};

/// Runs it to its end. The child leads a process group of its own, which is killed when it ends, at
/// a limit, and on cancellation; it dies with this process. \return kNotFound where the program is
/// not there, kIo.
Result<ProcessResult> RunProcess(const ProcessOptions& options, const CancelToken& cancel);

/// The last `lines` lines of a log, at most 4000 bytes.
std::string LogTail(const std::filesystem::path& log, int lines);

/// This process's environment without what would lead a Python astray (PYTHONPATH, PYTHONHOME,
/// VIRTUAL_ENV, PIP_*), with PYTHONNOUSERSITE and what `extra` says.
std::vector<std::string> PythonEnvironment(const std::vector<std::string>& extra);

}  // namespace kenning
