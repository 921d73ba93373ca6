// SPDX-License-Identifier: Apache-2.0
/// \file
/// Programs under measurement, started as children: the agent, and what it is compared with.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "wire/target_client.h"

namespace kenning::bench {

/// Memory of a process as the kernel accounts for it, bytes.
struct Memory {
  std::uint64_t resident = 0;
  std::uint64_t proportional = 0;  ///< Pages that several processes share are divided among them.
};
/// \return kIo where the process is gone.
Result<Memory> MemoryOf(pid_t pid);
std::vector<pid_t> ChildrenOf(pid_t pid);

/// A child with a pipe to its standard input and one back from a descriptor; killed and waited for
/// at the end.
class ChildProcess {
 public:
  /// Forks and executes. `answer_descriptor`: which of the child's descriptors is read by ReadLine.
  static Result<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& command,
                                                     int answer_descriptor);
  ~ChildProcess();
  pid_t pid() const { return pid_; }
  /// Up to the end of a line or of the stream.
  std::string ReadLine() const;

 private:
  pid_t pid_ = -1;
  int to_child_ = -1;
  int from_child_ = -1;
};

/// kenning-agent on a free port of the loopback, with a folder of its own for models.
class AgentProcess {
 public:
  /// Returns when the agent listens. \return kTargetLost where it does not.
  static Result<std::unique_ptr<AgentProcess>> Start(const std::filesystem::path& program,
                                                     std::vector<std::string> options = {});
  ~AgentProcess();
  pid_t pid() const { return child_->pid(); }
  /// Connects and finishes the greeting; with kOn, the answer to HELLO has come.
  Result<std::unique_ptr<wire::TargetClient>> Connect(NativeMode native) const;

 private:
  std::unique_ptr<ChildProcess> child_;
  std::filesystem::path state_;
  std::uint16_t port_ = 0;
};

}  // namespace kenning::bench
