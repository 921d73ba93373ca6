// SPDX-License-Identifier: Apache-2.0
/// \file
/// TargetServer: the target's side of the protocol, over any Channel and any backend. It knows
/// messages and their order; it knows no sockets, engines or files.
///
/// It trusts nobody: sizes are checked against the limits before anything is allocated, every
/// request gets an answer or an error, unknown and misplaced messages are answered with FAIL, and a
/// peer that is slow in the middle of a message is left after `message_timeout_s`.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/log.h"
#include "kenning/core/artifact.h"
#include "kenning/core/runtime.h"
#include "kenning/core/transport.h"
#include "wire/native.h"

namespace kenning::wire {

/// What LoadModel is asked for. Everything may be empty.
struct LoadRequest {
  std::string sha256;   ///< Of a model in the store; empty: the model that the target was given
                        ///< beforehand, else kNotFound.
  std::string format;   ///< Empty: recognise it by its bytes.
  std::string io_spec;  ///< JSON text as sent; empty: none.
  std::string runtime_type;
  std::string runtime_parameters_json;
  bool profiling = false;  ///< Times of operators are wanted.
};
struct LoadedModel {
  ModelSpec spec;  ///< As the engine sees it.
  EngineVersion engine;
  std::string runtime;
  std::int64_t load_ns = 0;
};

/// Models on the target, by content. Nothing is written to a path that a client names.
class ModelStore {
 public:
  virtual ~ModelStore() = default;
  /// Bytes of the model that are here, from its start; all of them: `size`.
  /// \return kResourceExhausted where a model of this size cannot be taken.
  virtual Result<std::uint64_t> Have(const std::string& sha256, std::uint64_t size) = 0;
  /// Appends; `offset` must be what Have says. A whole model whose SHA-256 is another is dropped:
  /// kInvalidData. \return bytes that are here now.
  virtual Result<std::uint64_t> Append(const std::string& sha256, std::uint64_t size,
                                       std::uint64_t offset, ConstBytes bytes) = 0;
  /// Takes a whole model; gives its SHA-256.
  virtual Result<std::string> Put(ConstBytes bytes) = 0;
  /// Reads a part of a whole model; nothing from its end on. \return kNotFound.
  virtual Result<std::vector<std::byte>> Get(const std::string& sha256, std::uint64_t offset,
                                             std::size_t max_bytes) = 0;
};

/// What the server does with a request's meaning; over engines in the agent, over memory in tests.
class TargetBackend {
 public:
  virtual ~TargetBackend() = default;
  virtual Result<LoadedModel> Load(const LoadRequest& request) = 0;
  /// Output specs for given input shapes. \return kFailedPrecondition before a model.
  virtual Result<std::vector<TensorSpec>> Resolve(std::span<const Shape> input_shapes) = 0;
  /// Runs the model. Sets invoke_start_ns and invoke_end_ns of `times`.
  virtual Result<> Invoke(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs, InferTimes& times) = 0;
  /// STATS as Kenning's JSON, or, `native`, as docs/formats/wire.md has it.
  virtual Result<std::string> Statistics(bool native) = 0;
  virtual Result<std::vector<OperatorProfile>> Profile() = 0;
  /// `request_json` as of kOptimize; the resulting model is in the store. \return the answer's
  /// JSON.
  virtual Result<std::string> Optimize(const std::string& request_json) = 0;
  /// Members of HELLO's answer that describe the target: a JSON object.
  virtual std::string Describe() = 0;
};

struct ServerLimits {
  std::uint64_t max_model_bytes = std::uint64_t{2} << 30;
  std::uint32_t max_io_spec_bytes = 16U << 20;
  std::uint32_t max_json_bytes = 16U << 20;    ///< OPTIMIZERS and native JSON bodies.
  std::uint32_t max_input_bytes = 256U << 20;  ///< Of one INFER or DATA before a model says better.
  std::uint32_t max_part_bytes = 8U << 20;     ///< Of one kModelPart, kModelFetch, kEcho.
  double greeting_timeout_s = 10;              ///< UART: none.
  double message_timeout_s = 30;  ///< From a message's first byte to its last, plus 1 s per MiB.
  double idle_timeout_s = 600;    ///< Between two messages.
  double write_timeout_s = 30;    ///< The peer does not read.
  int max_protocol_errors = 32;   ///< Then the session ends.
};

/// Where the session is, for whoever watches it from outside (shared memory): plain atomics only.
struct SessionState {
  std::atomic<std::uint64_t> request_type{0};  ///< Of the request being worked on.
  std::atomic<std::uint32_t> request_id{0};
  std::atomic<std::uint32_t> native{0};
  std::atomic<std::uint32_t> busy{
      0};  ///< 1 between the request's last byte and its answer's first.
  std::atomic<std::int64_t> busy_since_ns{0};
  std::atomic<std::int64_t> deadline_ns{0};  ///< Of the request, monotonic; 0: none.
};

struct ServerOptions {
  WireSettings
      settings;  ///< `token` non-empty: nothing but HELLO and AUTH is answered before AUTH.
  ServerLimits limits;
  SessionState* state = nullptr;
  std::function<void()> on_activity;  ///< After each request; may be empty.
};

/// Serves one connection until the client leaves.
class TargetServer {
 public:
  TargetServer(Channel& channel, TargetBackend& backend, ModelStore& store, ServerOptions options);
  ~TargetServer();
  /// \return how it ended: success where the client left in order; else kTargetLost,
  /// kDeadlineExceeded, kInvalidData (too many protocol errors), kUnavailable (wrong token). Over
  /// UART it also returns where the client closed the session, and may be called again for the
  /// next.
  Result<> Serve();
  /// Queues a line for the client (LOGS), sent before the next answer. Any thread.
  void Log(LogLevel level, std::string_view text);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The bytes of the answer that a failed request gets: for who must speak in the place of a server
/// that died. `native`: as of SessionState.
std::vector<std::byte> FailureAnswer(std::uint64_t request_type, std::uint32_t request_id,
                                     bool native, StatusCode status, std::string_view text,
                                     const WireSettings& settings);

}  // namespace kenning::wire
