// SPDX-License-Identifier: Apache-2.0
/// \file
/// Agent: the main process. Listens, starts a process for each session, watches it, and speaks for
/// it when it dies. It reads no byte that a client sends.
#pragma once

#include <memory>
#include <string>

#include "agent_options.h"
#include "kenning/base/result.h"

namespace kenning::target {

class Agent {
 public:
  /// Checks what must hold before anything is listened on, opens the transport, and leaves root.
  /// `registry` must outlive the agent. \return kInvalidScenario for what needs authentication and
  /// has none, kIo, kUnavailable.
  static Result<std::unique_ptr<Agent>> Open(AgentOptions options, const Registry& registry);
  ~Agent();

  /// "127.0.0.1:12345".
  std::string address() const;
  /// Serves until SIGTERM or SIGINT comes (which it takes over meanwhile), or with `once` until the
  /// first session ends. Needs a process without other threads. \return the exit code.
  Result<int> Run();

 private:
  class Impl;
  explicit Agent(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Whether the options may be served: an address that others reach needs a secret. `loopback`: only
/// this machine reaches it; `certificates`: clients must show one. \return kInvalidScenario with
/// the remedies.
Result<> CheckExposure(const AgentOptions& options, const WireSettings& settings, bool loopback,
                       bool certificates);

}  // namespace kenning::target
