// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the agent is told: plain data, from the command line or a server scenario.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/log.h"
#include "kenning/registry/registry.h"
#include "model_store.h"
#include "wire/target_server.h"

namespace kenning::target {

/// A block that the configuration names, its parameters checked.
struct ConfiguredBlock {
  const BlockInfo* info = nullptr;
  Params params;
};

/// How much a session may take.
struct SessionLimits {
  double load_timeout_s = 600;         ///< Of loading and optimising a model.
  double invoke_timeout_s = 120;       ///< Of any other request.
  std::uint64_t max_memory_bytes = 0;  ///< Resident; 0: three quarters of the machine's memory.
};

/// What keeps a session's process from the rest of the system.
struct SandboxOptions {
  bool enabled = true;
  bool allow_optimizers = false;  ///< Child processes may be started.
};

struct AgentOptions {
  /// The transport's block and parameters: NetworkProtocol, UARTProtocol.
  ConfiguredBlock protocol;
  std::optional<ConfiguredBlock> runtime;   ///< Empty: the best that takes the model's format.
  std::optional<ConfiguredBlock> platform;  ///< Empty: this machine as it describes itself.

  std::filesystem::path state_folder;
  StoreLimits store;
  wire::ServerLimits wire;
  SessionLimits session;
  SandboxOptions sandbox;
  bool allow_unauthenticated = false;
  bool allow_root = false;
  std::string user;  ///< Whom to become when started as root; empty: kenning, else nobody.
  bool once = false;
  int ready_fd = -1;  ///< Where the address is written once the agent listens; -1: nowhere.
  LogLevel log_level = LogLevel::kWarning;
  bool check_only = false;
};

}  // namespace kenning::target
