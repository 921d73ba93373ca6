// SPDX-License-Identifier: Apache-2.0
/// \file
/// The inside of TargetServer: target_server.cc has the session, target_server_kenning.cc and
/// target_server_native.cc what the requests mean, target_server_infer.cc the measured path.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "wire/log_queue.h"
#include "wire/message_reader.h"
#include "wire/multipart.h"
#include "wire/sample_buffers.h"
#include "wire/target_server.h"

namespace kenning::wire {

/// What the one byte of an answer names for a request of that type.
ServerAction ActionOf(MessageType type);

class TargetServer::Impl {
 public:
  Impl(Channel& channel, TargetBackend& backend, ModelStore& store, ServerOptions options);
  Result<> Serve();
  void Log(LogLevel level, std::string_view text) { logs_.Add(level, text); }

 private:
  // A native request without its body.
  struct NativeRequest {
    Header header;
    NativePrefix prefix;
    std::int64_t came_ns = 0;      // its header was read
    std::int64_t deadline_ns = 0;  // 0: none
    std::uint64_t body_size() const { return header.payload_size - kNativePrefixBytes; }
    NativeType type() const { return static_cast<NativeType>(header.type); }
  };

  // The session.
  Result<> ServeMessages();
  Result<> ServeMessage(const Header& header);
  Result<> Greet();
  Result<bool> AwaitMessage(bool first);
  bool uart() const { return options_.settings.dialect == WireDialect::kUart; }
  bool speaks_native() const { return options_.settings.native != NativeMode::kOff; }
  Deadline MessageDeadline(std::uint64_t bytes) const;
  double SecondsFor(std::uint64_t bytes) const;
  Result<> ReadBody(MutableBytes out, Deadline deadline);
  // Reads and drops a body that was refused; ends the session where it is too large for that.
  Result<> SkipBody(std::uint64_t size);
  // UART: drops what comes until the line is quiet.
  Result<> AwaitQuiet();
  // Gives the peer time to read the last answer before the connection goes.
  void Linger();
  Result<> CountProtocolError();
  void MarkBusy(const Header& header, std::uint32_t id, std::int64_t deadline_ns);
  void MarkIdle();

  // Answers. LOGS that wait go first, in the same write.
  Result<> Flush();
  void AddLogs();
  Result<> Answer(const Header& request, bool success, std::span<const ConstBytes> payload);
  Result<> AnswerAction(const Header& request, bool success, ServerAction action);
  Result<> Refuse(const Header& request, const Error& error);
  Result<> AnswerNative(const NativeRequest& request, std::span<const ConstBytes> body);
  Result<> AnswerNative(const NativeRequest& request, std::string_view body);
  Result<> AnswerNumber(const NativeRequest& request, std::uint64_t number);
  Result<> FailNative(const NativeRequest& request, StatusCode status, std::string_view text);
  Result<> FailNative(const NativeRequest& request, const Error& error);

  // Kenning's mode.
  Result<> ServeKenning(const Header& header);
  Result<> ServePart(const Header& header);
  std::optional<Error> MayNotAsk(const Header& header) const;
  Result<> RefusePart(const Header& header, const Error& error);
  bool CannotBe(const Header& header) const;
  Result<> DropNoise(const Header& header);
  std::uint64_t CapOf(MessageType type) const;
  bool ChecksumFits(const Header& header, ConstBytes body) const;
  Result<> Dispatch(const JoinedMessage& message);
  Result<> OnPing(const JoinedMessage& message);
  Result<> OnIoSpec(const JoinedMessage& message);
  Result<> OnModel(const JoinedMessage& message);
  Result<> OnData(const JoinedMessage& message);
  Result<bool> TryDataInPlace(const Header& header);
  Result<> OnProcess(const JoinedMessage& message);
  Result<> OnOutput(const JoinedMessage& message);
  Result<> OnStats(const JoinedMessage& message);
  Result<> OnOptimizers(const JoinedMessage& message);
  Result<> OnUnoptimizedModel(const JoinedMessage& message);
  Result<> OnOptimizeModel(const JoinedMessage& message);
  Result<std::vector<std::byte>> OptimizedModel();
  Result<> ReadIoSpec(const JoinedMessage& message);
  void ForgetClient();

  // The native mode.
  Result<> ServeNative(const Header& header);
  Result<> RefuseNative(const NativeRequest& request, StatusCode status, std::string_view text);
  std::uint64_t NativeCapOf(NativeType type) const;
  Result<> DispatchNative(const NativeRequest& request, ConstBytes body);
  Result<> OnHello(const NativeRequest& request, ConstBytes body);
  Result<> OnAuth(const NativeRequest& request, ConstBytes body);
  Result<> OnClock(const NativeRequest& request);
  Result<> OnModelHave(const NativeRequest& request, ConstBytes body);
  Result<> OnModelPart(const NativeRequest& request, ConstBytes body);
  Result<> OnModelFetch(const NativeRequest& request, ConstBytes body);
  Result<> OnModelLoad(const NativeRequest& request, ConstBytes body);
  Result<> OnInferShapes(const NativeRequest& request, ConstBytes body);
  Result<> OnProfile(const NativeRequest& request);
  Result<> OnOptimize(const NativeRequest& request, ConstBytes body);

  // Inference.
  Result<LoadedModel> Load(const LoadRequest& request);
  Result<> BindShapes(std::vector<Shape> shapes);
  Result<> BindFor(std::uint64_t sample_bytes);
  Result<> ServeInfer(const NativeRequest& request);
  Result<> PrepareInfer(const NativeRequest& request);
  Result<> InvokeAll(const NativeRequest& request);
  Result<> AnswerInfer(const NativeRequest& request);

  Channel& channel_;
  TargetBackend& backend_;
  ModelStore& store_;
  ServerOptions options_;
  MessageReader reader_;
  OutgoingParts outgoing_;
  PartJoiner joiner_;
  LogQueue logs_;
  std::vector<std::byte> log_payload_;

  int protocol_errors_ = 0;
  bool authenticated_ = false;
  bool open_ = false;    // UART: PING has come
  bool closed_ = false;  // the session is to end in order
  bool write_failed_ = false;
  Deadline proof_deadline_ = Deadline::Never();  // of who has not shown the token
  ServerAction doing_ = ServerAction::kIdle;

  // Kenning's mode.
  std::string io_spec_;
  std::string model_sha256_;  // of the last MODEL; empty: none
  std::string optimizers_;    // the text of OPTIMIZERS
  std::string unoptimized_sha256_;
  bool input_there_ = false;
  bool output_there_ = false;
  bool spec_there_ = false;

  // The native mode.
  std::vector<std::byte> body_;
  std::string client_nonce_;
  std::string server_nonce_;
  std::string upload_sha256_;
  std::uint64_t upload_size_ = 0;

  // Inference. Samples of both modes lie in the same buffers.
  SampleBuffers samples_;
  bool shapes_given_ = false;  // by INFER_SHAPES
  std::vector<ConstBytes> pieces_;
  std::vector<std::byte> times_;
  std::vector<std::byte> small_outputs_;
};

}  // namespace kenning::wire
