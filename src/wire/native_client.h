// SPDX-License-Identifier: Apache-2.0
/// \file
/// The client's half of the native mode.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/client_link.h"
#include "wire/model_source.h"
#include "wire/native.h"

namespace kenning::wire {

class NativeClient {
 public:
  /// Borrows the link.
  explicit NativeClient(ClientLink& link) : link_(link) {}

  /// HELLO, and AUTH where the settings have a token. \return kUnavailable (busy, wrong token).
  Result<TargetInfo> Hello();
  Result<ClockOffset> MeasureClock(int rounds);
  Result<std::int64_t> Echo(std::size_t bytes);

  /// Sends what the target has not; gives the SHA-256.
  Result<std::string> Upload(ModelSource& model);
  struct Loaded {
    ModelSpec spec;
    EngineVersion engine;
  };
  Result<Loaded> Load(const std::string& sha256, const std::string& format,
                      const std::string& io_spec_json, const LoadOptions& options);
  Result<std::vector<TensorSpec>> Shapes(std::span<const Shape> input_shapes);

  Result<TargetClient::InferResult> Infer(std::span<const TensorView> inputs,
                                          std::span<const MutableTensorView> outputs);
  Result<> SendInfer(std::span<const TensorView> inputs);
  Result<TargetClient::InferResult> ReceiveInfer(std::span<const MutableTensorView> outputs);
  Result<bool> AwaitAnswer(Deadline until);
  /// Answers of SendInfer that ReceiveInfer has not given yet.
  std::size_t in_flight() const { return sent_.size() + kept_.size(); }
  /// About how large an answer will be; 0: unknown.
  void set_answer_bytes(std::uint64_t bytes) { answer_bytes_ = bytes; }

  Result<std::string> Statistics();
  Result<std::vector<OperatorProfile>> Profile();
  Result<TargetClient::Optimised> Optimize(ModelSource& model, const std::string& format,
                                           const std::string& io_spec_json,
                                           const std::string& optimizers_json);

 private:
  struct Sent {
    std::uint32_t id = 0;
    std::uint64_t bytes = 0;
  };
  /// An answer that had to be taken before it was asked for.
  struct Kept {
    Result<TargetClient::InferResult> result;
    std::string outputs;
  };

  Result<std::uint32_t> Send(NativeType type, std::span<const ConstBytes> body, double wait_s,
                             std::uint32_t samples = 0);
  Result<NativePrefix> Receive(NativeType type, std::uint32_t id, PayloadSink& sink, double wait_s);
  Result<> ReceiveFailure(const Header& header, const NativePrefix& prefix, std::uint32_t crc,
                          Deadline deadline);
  Result<NativePrefix> Call(NativeType type, std::span<const ConstBytes> body, PayloadSink& sink,
                            double wait_s);
  Result<std::string> CallJson(NativeType type, const std::string& body, double wait_s);
  Result<std::uint64_t> CallNumber(NativeType type, std::span<const ConstBytes> body);
  Result<TargetInfo> AskWhoItIs(const std::string& nonce);
  Result<> Authenticate(const std::string& nonce, const std::string& target_nonce);
  Result<std::uint32_t> SendSample(std::span<const TensorView> inputs);
  Result<TargetClient::InferResult> ReceiveSample(std::uint32_t id,
                                                  std::span<const MutableTensorView> outputs);
  Result<> MakeRoom(std::uint64_t request_bytes);
  Result<> KeepOldest();
  Result<> SendParts(ModelSource& model, const std::string& sha256, std::uint64_t there);
  Result<std::string> Fetch(const std::string& sha256, std::uint64_t size);
  tl::unexpected<Error> Nonsense(NativeType type, std::string_view what);
  Result<InferTimes> TimesFrom(std::span<const std::byte, kInferTimesBytes> bytes);

  ClientLink& link_;
  std::uint32_t next_id_ = 1;
  std::uint32_t most_payload_ = 1U << 20;  ///< Until HELLO says better.
  std::uint32_t most_part_ = 64U << 10;
  std::deque<Sent> sent_;
  std::deque<Kept> kept_;
  std::uint64_t answer_bytes_ = 0;
  std::vector<ConstBytes> pieces_;
  std::vector<ConstBytes> inputs_;
  std::vector<MutableBytes> places_;
};

}  // namespace kenning::wire
