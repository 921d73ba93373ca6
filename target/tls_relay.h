// SPDX-License-Identifier: Apache-2.0
/// \file
/// TLS for a session, in a process of its own between the client and the session's process: keys
/// and the TLS library are never in the process that runs models, nor in the main one.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent_options.h"
#include "kenning/core/transport.h"
#include "transport/tls_part.h"
#include "transport/unique_fd.h"

namespace kenning::target {

/// The handshakes that are going on. Bounded in number and time.
class TlsRelays {
 public:
  TlsRelays(TlsSettings settings, const AgentOptions& options)
      : settings_(std::move(settings)), options_(options) {}
  ~TlsRelays();

  /// Starts a relay for an accepted connection. Too many at once: the connection is closed.
  void Start(std::unique_ptr<Channel> raw, std::int64_t now_ns);
  void AddTo(std::vector<pollfd>& polled) const;
  /// The clients whose handshake is done; those that failed or took too long are gone.
  std::vector<std::unique_ptr<Channel>> Ready(std::int64_t now_ns);
  /// After SIGCHLD.
  void Reap();
  bool waiting() const { return !pending_.empty(); }

 private:
  struct Pending {
    pid_t pid = -1;
    UniqueFd control;  ///< One byte says that the handshake is done.
    UniqueFd plain;
    std::string peer;
    std::int64_t until_ns = 0;
  };
  TlsSettings settings_;
  const AgentOptions& options_;
  std::vector<Pending> pending_;
  std::vector<pid_t> processes_;
};

/// The settings where the protocol's parameters ask for TLS; the block then has it off, as the
/// relay does it.
std::optional<TlsSettings> TakeTlsSettings(ConfiguredBlock& protocol);

}  // namespace kenning::target
