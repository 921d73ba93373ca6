// SPDX-License-Identifier: Apache-2.0
/// \file
/// One client's session in a process of its own, as the agent's main process sees it: started,
/// watched, ended, and spoken for when it died.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "agent_options.h"
#include "kenning/core/transport.h"
#include "session_page.h"

namespace kenning::target {

/// Everything a session's process begins with.
struct SessionSetup {
  const Registry& registry;
  const AgentOptions& options;
  WireSettings settings;
};

/// Why the main process ended a session.
enum class EndReason : std::uint8_t { kNone, kDeadline, kMemory, kShutdown };

class SessionProcess {
 public:
  /// Forks. The child serves the channel; this process keeps it only to speak at the end.
  /// \return kResourceExhausted where there can be no further process.
  static Result<std::unique_ptr<SessionProcess>> Start(std::unique_ptr<Channel> channel,
                                                       const SessionSetup& setup,
                                                       std::uint64_t number);
  ~SessionProcess();

  pid_t pid() const { return pid_; }
  std::string peer() const { return channel_->peer(); }
  /// A request is being worked on.
  bool busy() const { return page_->state.busy.load() != 0; }

  /// Kills the process where its request has taken too long or its memory is too much. Call it
  /// every now and then.
  void Watch(std::int64_t now_ns);
  /// No request more is read; the one in work is answered, then the session ends. \return false
  /// where that cannot be done (a serial line).
  bool StopReading();
  void Kill(EndReason reason);

  /// After the process was reaped: sends the client the answer that is missing, removes the
  /// session's files. \return the session's result as a process exit code.
  int Finish(int wait_status);
  /// The connection, for a lingering close; after Finish.
  std::unique_ptr<Channel> TakeChannel() { return std::move(channel_); }

 private:
  SessionProcess(std::unique_ptr<Channel> channel, SharedSessionPage page,
                 const SessionSetup& setup, std::filesystem::path scratch);
  void SpeakFor(int wait_status);
  std::string LastWords(int wait_status) const;

  std::unique_ptr<Channel> channel_;
  SharedSessionPage page_;
  WireSettings settings_;
  SessionLimits limits_;
  std::filesystem::path scratch_;
  pid_t pid_ = -1;
  EndReason reason_ = EndReason::kNone;
  std::uint64_t peak_bytes_ = 0;
  double allowed_s_ = 0;
};

/// "the model crashed (SIGSEGV in f of libx.so)" and the like, with what was being done.
std::string DescribeDeath(int wait_status, EndReason reason, const SessionPage& page,
                          std::uint64_t max_memory_bytes, std::uint64_t peak_bytes,
                          double allowed_s);

/// Bytes that `pid` holds in memory; 0 where unknown.
std::uint64_t ResidentBytes(pid_t pid);
/// Three quarters of the machine's memory, or of what its control group allows.
std::uint64_t DefaultMemoryLimit();

}  // namespace kenning::target
