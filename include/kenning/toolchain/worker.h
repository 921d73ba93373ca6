// SPDX-License-Identifier: Apache-2.0
/// \file
/// One job in a toolchain: a child process that gets a JSON request and answers with JSON.
///
/// The script engines/<engine>/workers/<script> is started with the toolchain's Python in a folder
/// of its own, in a process group of its own:
///
///     python <script> request.json response.json
///
/// It uses the module kenning_worker (src/toolchain/kenning_worker.py, on its path):
/// `main(handler)` reads the request and writes the response whole; `progress(done, total, text)`
/// reports; `WorkerError(kind, message)` is an error that a user can mend. Standard output and
/// error go to a log that is kept when the job fails. Python is isolated from the user's own
/// packages.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/core/optimizer.h"

namespace kenning {

struct WorkerJob {
  std::string toolchain;  ///< "tensorflow"
  std::string engine;     ///< Folder of the script: "tflite".
  std::string script;     ///< "convert.py"
  nlohmann::json request = nlohmann::json::object();
  double time_limit_s = 3600;            ///< Then the process group is killed.
  std::uint64_t memory_limit_bytes = 0;  ///< Resident, of the group; 0: three quarters of memory.
  std::string stage = "working";         ///< What a progress bar says.
};

/// \return the response's object; kUnavailable (toolchain missing), the worker's own error
/// (kInvalidModel, kUnsupported, kInvalidData, kEngineFailure), kEngineFailure for a crash (signal,
/// last lines and place of the log), kResourceExhausted (time, memory), kCancelled.
Result<nlohmann::json> RunWorker(const WorkerJob& job, ProgressSink& progress,
                                 const CancelToken& cancel);

/// Writes at most `count` calibration samples below `folder` as <index>.<input>.bin (raw, C order)
/// and returns {"count", "inputs": [{"name", "dtype", "shape"}]}, which workers read with
/// kenning_worker.calibration(). One sample at a time is in memory.
Result<nlohmann::json> WriteCalibration(CalibrationView& calibration, std::size_t count,
                                        const std::filesystem::path& folder, ProgressSink& progress,
                                        const CancelToken& cancel);

/// A folder below the system's temporary folder, removed with all that is in it.
class ScratchFolder {
 public:
  static Result<ScratchFolder> Create();
  ScratchFolder(ScratchFolder&& other) noexcept;
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  explicit ScratchFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace kenning
