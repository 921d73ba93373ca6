// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one error type of the project. It knows nothing of machine learning, files or sockets.
#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace kenning {

/// What kind of failure happened. Callers branch on the code; people read the message.
/// Choose the most specific one; the comment says when, and when not.
enum class ErrorCode : std::uint8_t {
  kInvalidArgument,  ///< The caller's value is wrong whatever the state. Not for scenario files.
  kInvalidScenario,  ///< A scenario file or command line is wrong: carries file, line, key. Exit
                     ///< code 2.
  kInvalidModel,     ///< A model file is truncated, corrupt, hostile or of an unusable form.
  kInvalidData,      ///< A data set or result file is corrupt, empty or inconsistent.
  kNotFound,         ///< A named file, block, tensor does not exist. Not for missing engines.
  kUnavailable,      ///< The block or engine exists but cannot run here: says what to install. Exit
                     ///< code 3.
  kFailedPrecondition,  ///< Right call, wrong state (not prepared, already running). Retrying is
                        ///< useless.
  kUnsupported,         ///< Valid input that this project cannot handle, and will not by retrying.
  kResourceExhausted,   ///< Out of disk, memory or a declared limit.
  kCancelled,           ///< The user or a signal asked to stop. Partial results may be kept.
  kTargetLost,          ///< The device under test went away. Exit code 4.
  kDeadlineExceeded,    ///< No answer within a time limit; says which. Exit code 4.
  kIo,                  ///< The operating system refused a read or write for another reason.
  kEngineFailure,       ///< A third-party engine reported an error while running.
  kInternal,            ///< A broken promise inside this project: a bug.
};

/// Stable lower-case name, e.g. "invalid-model".
std::string_view ErrorCodeName(ErrorCode code);

/// Process exit code for an error: 1 run failed, 2 bad scenario or usage, 3 block unavailable,
/// 4 target lost, 130 cancelled. (5, a missed gate, is not an error.)
int ExitCodeFor(ErrorCode code);

/// A failure with its story. Value type; cheap to move.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message,
        std::source_location where = std::source_location::current());

  ErrorCode code() const { return code_; }
  /// What went wrong and, where known, the remedy. One sentence or several lines; no trailing
  /// newline.
  const std::string& message() const { return message_; }
  /// What was being done, outermost last.
  const std::vector<std::string>& context() const { return context_; }
  const std::source_location& where() const { return where_; }

  /// Adds one link to the story ("while loading model.onnx") and returns *this for chaining.
  Error& AddContext(std::string text) &;
  Error&& AddContext(std::string text) &&;

  /// "while A: while B: message" for people.
  std::string ToString() const;

 private:
  ErrorCode code_;
  std::string message_;
  std::vector<std::string> context_;
  std::source_location where_;
};

}  // namespace kenning
