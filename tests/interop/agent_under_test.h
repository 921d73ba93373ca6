// SPDX-License-Identifier: Apache-2.0
/// \file
/// A kenning-agent in a process of its own, and the models that tests send it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kenning/core/transport.h"
#include "wire/target_client.h"

namespace kenning::interop {

class AgentUnderTest {
 public:
  /// Starts it on a free port of 127.0.0.1 with a state folder of its own, and waits until it
  /// listens. `listen` empty: the options say where.
  explicit AgentUnderTest(std::vector<std::string> options = {},
                          const std::string& listen = "127.0.0.1:0");
  ~AgentUnderTest();

  bool listens() const { return !address_.empty(); }
  const std::string& address() const { return address_; }
  std::uint16_t port() const;
  pid_t pid() const { return pid_; }
  const std::filesystem::path& state() const { return state_; }
  /// What it wrote to standard error until now.
  std::string errors() const;

  void Signal(int signal) const;
  /// Waits for its end. \return its exit code; -1 where it did not end in time, -2 for a signal.
  int Wait(double seconds);

  /// A plain connection. Fails the test where there is none.
  std::unique_ptr<Channel> Connect() const;
  /// The same once no session is left, so that this one is served.
  std::unique_ptr<Channel> ConnectWhenFree() const;
  /// A client; kUnavailable while another is served. Waits for a free agent up to `patience_s`.
  Result<std::unique_ptr<wire::TargetClient>> Client(NativeMode native, double patience_s = 10,
                                                     const std::string& token = "") const;

  /// Descriptors, resident memory and children of the agent's process.
  std::size_t OpenDescriptors() const;
  std::uint64_t ResidentBytes() const;
  std::size_t Children() const;

 private:
  std::filesystem::path state_;
  std::filesystem::path error_file_;
  std::string address_;
  pid_t pid_ = -1;
};

/// A model for the null engine, one float in and out; `faults` as of engines/null/README.md.
std::string NullModel(const std::string& faults = "", int elements = 1);
/// Its IO specification.
std::string NullSpec(int elements = 1);
/// Sends a model through a client.
Result<> Load(wire::TargetClient& client, const std::string& model, const std::string& spec);
/// One float through the model.
Result<float> InferOne(wire::TargetClient& client, float value);
/// Where an engine's module is; tests of engines that are not there are skipped.
bool HasEngine(const std::string& engine);

}  // namespace kenning::interop
