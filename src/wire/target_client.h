// SPDX-License-Identifier: Apache-2.0
/// \file
/// TargetClient: the host's side of the protocol, over any Channel. Kenning's protocol with every
/// server of it, the native mode where the other side takes it.
///
/// Every call returns in bounded time: settings.timeout_s, or by default 10 s for an answer, 60 s
/// for an inference, 300 s for loading a model, and an hour for optimising, on top of the time the
/// bytes need. After an error of transport (kTargetLost, kDeadlineExceeded) or of protocol
/// (kInvalidData) the connection is over: later calls say so. Not thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kenning/base/log.h"
#include "kenning/base/progress.h"
#include "kenning/core/artifact.h"
#include "kenning/core/runtime.h"
#include "kenning/core/transport.h"
#include "wire/native.h"

namespace kenning::wire {

/// What a native target says of itself (HELLO).
struct TargetInfo {
  std::string agent_version;
  std::string json;  ///< The whole answer, for `kenning doctor`: engines, CPU, limits, rights.
  std::uint32_t max_payload_bytes = 0;
};

/// The target's clock against the host's: host = target - offset_ns, within +-uncertainty_ns.
struct ClockOffset {
  std::int64_t offset_ns = 0;
  std::int64_t uncertainty_ns = 0;  ///< Half of the shortest round trip.
  std::int64_t round_trip_ns = 0;   ///< The shortest.
};

/// How the target should run a model (kModelLoad); Kenning's protocol has no words for it.
struct LoadOptions {
  std::string runtime_type;             ///< Canonical block name; empty: the target chooses.
  std::string runtime_parameters_json;  ///< "{}" by default.
  bool profiling = false;               ///< Times of operators are wanted; see Profile.
};

struct ClientOptions {
  std::function<void(LogLevel, std::string_view)> on_log;  ///< Lines that the target forwards.
  ProgressSink* progress = nullptr;                        ///< Of uploads.
  const CancelToken* cancel = nullptr;
};

class TargetClient {
 public:
  /// Takes the channel; does the greeting (network) or the handshake (UART), and authenticates
  /// where settings have a token. `settings.native`: kAuto and kOn send the offer with the first
  /// request. \return kTargetLost, kDeadlineExceeded, kUnavailable (busy, wrong token; the message
  /// of a busy target has "busy:" in it), kInvalidData (the other side speaks another protocol).
  static Result<std::unique_ptr<TargetClient>> Connect(std::unique_ptr<Channel> channel,
                                                       const WireSettings& settings,
                                                       ClientOptions options = {});
  ~TargetClient();

  /// Known after Connect with kOn or a token, else after the first request; see Negotiate.
  bool native() const;
  /// Finds out now whether the other side speaks the native mode, by a request for statistics
  /// (which Kenning's server answers at any time).
  Result<bool> Negotiate();
  /// \return kUnsupported where the peer is not native.
  Result<TargetInfo> Info();
  /// The best of `rounds` exchanges. \return kUnsupported where the peer is not native.
  Result<ClockOffset> MeasureClock(int rounds = 16);
  /// Round trip of an echo with `bytes` of payload, host clock, ns. \return kUnsupported.
  Result<std::int64_t> Echo(std::size_t bytes);

  /// Sends IO specification and model, and has it loaded. A native target that already has the
  /// model gets no bytes; an upload that broke off goes on where it stopped. A model that is a
  /// folder travels as a tar archive in the native mode; Kenning's protocol cannot carry it
  /// (kUnsupported). `io_spec_json`: the text of `<model>.json`; its bytes are sent as they are to
  /// a network server.
  Result<> LoadModel(const ModelArtifact& artifact, const std::string& io_spec_json,
                     const LoadOptions& options);
  /// Kenning's skip of sending: the server uses the model that it has.
  Result<> LoadPresentModel(const std::string& io_spec_json);
  /// Of the loaded model, from the target (native) or from the IO specification.
  const ModelSpec& spec() const;
  EngineVersion engine() const;  ///< Empty where the peer does not say.

  /// Native: tells input shapes of a dynamic model; gives the outputs. In Kenning's protocol the
  /// outputs are resolved from the IO specification alone.
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes);
  /// One sample (or one batch as the model sees it): inputs out, outputs in, straight from and into
  /// the caller's tensors. Native: one round trip, and `times` are set. Else DATA, PROCESS, OUTPUT,
  /// and `process_ns` is the time between sending PROCESS and its answer.
  struct InferResult {
    std::optional<InferTimes> times;
    std::int64_t process_ns = 0;
  };
  Result<InferResult> Infer(std::span<const TensorView> inputs,
                            std::span<const MutableTensorView> outputs);

  /// Pipelining, native only: Send without waiting, answers come in order. At most `kMaxInFlight`
  /// may be open. Times and outputs as in Infer.
  static constexpr std::size_t kMaxInFlight = 64;
  Result<> SendInfer(std::span<const TensorView> inputs);
  Result<InferResult> ReceiveInfer(std::span<const MutableTensorView> outputs);
  /// Waits until the oldest answer begins to arrive, at most until `until`; false: not yet.
  /// \return kFailedPrecondition where nothing is in flight.
  Result<bool> AwaitAnswer(Deadline until);

  /// STATS: Kenning's JSON (network), or the same keys made from the binary form (UART). Native:
  /// the richer form of kStatistics (docs/formats/wire.md).
  Result<std::string> Statistics();
  Result<std::vector<OperatorProfile>> Profile();

  /// Optimises on the target: OPTIMIZERS, UNOPTIMIZED_MODEL, OPTIMIZE_MODEL. Native: kOptimize;
  /// gives the resulting IO specification and provenance, too (Kenning's server does not: empty).
  struct Optimised {
    std::string model_bytes;
    std::string io_spec_json;
    std::string format;
    std::vector<ProvenanceStep> provenance;
  };
  /// `optimizers_json`: [{type, parameters}]. \return the target's error.
  Result<Optimised> Optimize(const ModelArtifact& model, const std::string& io_spec_json,
                             const std::string& optimizers_json);

  /// From now on the user's wish to stop is not looked at: for what ends a session in order.
  void IgnoreCancel();
  /// Ends the session in order (UART: PING with FAIL). The destructor does so, without waiting
  /// long.
  Result<> Disconnect();

 private:
  class Impl;
  explicit TargetClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace kenning::wire
