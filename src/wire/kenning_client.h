// SPDX-License-Identifier: Apache-2.0
/// \file
/// The client's half of Kenning's own protocol: what a request looks like, and what its answer may.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wire/client_link.h"
#include "wire/model_source.h"

namespace kenning::wire {

class KenningClient {
 public:
  /// Borrows the link.
  explicit KenningClient(ClientLink& link) : link_(link) {}

  /// Requests carry kNativeOffer from now on, or no longer.
  void set_offering(bool offering) { offering_ = offering; }
  /// An answer carried it, too.
  bool offer_taken() const { return offer_taken_; }

  /// Network: takes the greeting byte.
  Result<> Greet();
  /// UART: opens the session; what a booting device printed before is passed over.
  Result<> Shake();
  /// UART: tells that the session ends.
  Result<> Close(double wait_s);

  Result<> SendIoSpec(const std::string& json);
  Result<> SendModel(ModelSource& model);
  Result<> SendNoModel();
  Result<TargetClient::InferResult> Infer(std::span<const TensorView> inputs,
                                          std::span<const MutableTensorView> outputs);
  Result<std::string> Statistics();
  Result<std::string> Optimize(ModelSource& model, const std::string& optimizers_request);

 private:
  struct Part {
    std::uint16_t flags = 0;
    std::span<const ConstBytes> payload;
    std::uint32_t size = 0;
  };
  Result<> SendPart(MessageType type, const Part& part);
  Result<> Send(MessageType type, std::span<const ConstBytes> payload, std::uint16_t flags = 0);
  Result<> SendSource(MessageType type, ModelSource& model, std::string_view stage);
  std::uint32_t MostPayload() const;
  /// The answer to a request of this type; several transmissions make one answer.
  Result<> Receive(MessageType type, PayloadSink& sink, double wait_s);
  Result<> ReceiveBody(const Header& header, PayloadSink& sink, Deadline deadline);
  /// An answer that says nothing but yes, or no.
  Result<> Confirm(MessageType type, double wait_s);
  Result<> SkipBody(const Header& header);
  Result<> Refused(const Header& header);
  Result<bool> AwaitPing(Deadline deadline);
  Result<> WhyRefused(MessageType type, Error error);

  ClientLink& link_;
  bool offering_ = false;
  bool offer_taken_ = false;
  std::vector<ConstBytes> pieces_;    ///< Of the message being written.
  std::vector<ConstBytes> inputs_;    ///< Of the sample being sent.
  std::vector<MutableBytes> places_;  ///< Of the sample's outputs.
};

}  // namespace kenning::wire
