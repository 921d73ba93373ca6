// SPDX-License-Identifier: Apache-2.0
#include "app/remote_session.h"

namespace kenning {
namespace {

/// 31 years after its start no target runs; sums of such times stay within 64 bits.
constexpr std::int64_t kLatestNs = 1'000'000'000'000'000'000;

bool Plausible(const wire::InferTimes& times) {
  return times.received_ns > 0 && times.received_ns <= times.invoke_start_ns &&
         times.invoke_start_ns <= times.invoke_end_ns && times.invoke_end_ns <= times.sent_ns &&
         times.sent_ns <= kLatestNs;
}

}  // namespace

TargetTimes TimesOf(const wire::TargetClient::InferResult& result) {
  TargetTimes times;
  if (!result.times) times.process_ns = result.process_ns;
  if (!result.times || !Plausible(*result.times)) return times;
  times.received_ns = result.times->received_ns;
  times.invoke_start_ns = result.times->invoke_start_ns;
  times.invoke_end_ns = result.times->invoke_end_ns;
  times.sent_ns = result.times->sent_ns;
  return times;
}

RemoteSession::RemoteSession(wire::TargetClient& client) : client_(client) {
  spec_.inputs = client.spec().engine_inputs();
  spec_.outputs = client.spec().engine_outputs();
}

Result<std::vector<TensorSpec>> RemoteSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  return client_.ResolveOutputs(input_shapes);
}

Result<> RemoteSession::Invoke(std::span<const TensorView> inputs,
                               std::span<const MutableTensorView> outputs) {
  auto result = client_.Infer(inputs, outputs);
  if (!result) return Fail(std::move(result).error());
  times_.push_back(TimesOf(*result));
  return {};
}

Result<> RemoteSession::Receive(std::span<const MutableTensorView> outputs) {
  auto result = client_.ReceiveInfer(outputs);
  if (!result) return Fail(std::move(result).error());
  times_.push_back(TimesOf(*result));
  return {};
}

Result<std::vector<OperatorProfile>> RemoteSession::Profile() {
  if (!client_.native()) return std::vector<OperatorProfile>{};
  return client_.Profile();
}

}  // namespace kenning
