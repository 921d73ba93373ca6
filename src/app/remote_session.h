// SPDX-License-Identifier: Apache-2.0
/// \file
/// A model that is loaded on a target, as a Session: the measured loop and whatever else takes
/// sessions need not know where a model runs.
#pragma once

#include <vector>

#include "kenning/core/runtime.h"
#include "kenning/core/target_run.h"
#include "wire/target_client.h"

namespace kenning {

/// Borrows the client, whose model is loaded.
class RemoteSession final : public Session {
 public:
  explicit RemoteSession(wire::TargetClient& client);

  /// The tensors that go over the wire.
  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  /// One sample: inputs out, outputs in. \return kTargetLost, kDeadlineExceeded, and what the
  /// target's own call gave.
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  /// The halves of Invoke: several may be sent before the first answer is taken (native mode only;
  /// at most wire::TargetClient::kMaxInFlight). Answers come in order.
  Result<> Send(std::span<const TensorView> inputs) { return client_.SendInfer(inputs); }
  Result<> Receive(std::span<const MutableTensorView> outputs);
  /// Waits until an answer begins to arrive; false: not until then.
  Result<bool> AwaitAnswer(Deadline until) { return client_.AwaitAnswer(until); }
  bool native() const { return client_.native(); }

  /// Of the target; empty where it does not speak the native mode.
  Result<std::vector<OperatorProfile>> Profile() override;

  /// One entry for each Invoke that succeeded, in order.
  std::vector<TargetTimes> TakeTimes() { return std::move(times_); }
  /// Room for so many, so that no Invoke allocates.
  void ReserveTimes(std::size_t count) { times_.reserve(count); }

 private:
  wire::TargetClient& client_;
  ModelSpec spec_;
  std::vector<TargetTimes> times_;
};

/// What is kept of one inference. Times that cannot be (not in order, negative) count as not told.
TargetTimes TimesOf(const wire::TargetClient::InferResult& result);

}  // namespace kenning
