// SPDX-License-Identifier: Apache-2.0
#include "wire/kenning_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "wire/uart_structs.h"

namespace kenning::wire {
namespace {

constexpr int kPings = 5;
/// Of these the first carry the offer of the native mode; a device that stumbles over a reserved
/// bit sees none in the others.
constexpr int kOfferingPings = 2;
constexpr std::size_t kMaxNoiseBytes = 64 << 10;
constexpr std::uint32_t kMaxConfirmationBytes = 4096;
constexpr std::uint32_t kMaxPingBytes = 16;
constexpr std::uint64_t kMaxStatisticsBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxModelBytes = std::uint64_t{2} << 30;
constexpr std::uint32_t kSmallestMessage = 64;
/// A failure that comes while an upload is being refused.
constexpr double kRefusalWaitS = 0.5;

std::string_view ActionText(std::byte action) {
  constexpr std::string_view kTexts[] = {"waiting for a client",
                                         "greeting a client",
                                         "taking the IO specification",
                                         "taking the model",
                                         "taking the model to optimise",
                                         "taking the input",
                                         "running the model",
                                         "giving the output",
                                         "making statistics",
                                         "optimising the model",
                                         "taking the optimizers",
                                         "taking the runtime",
                                         "being idle"};
  const auto number = std::to_integer<std::size_t>(action);
  return number < std::size(kTexts) ? kTexts[number] : "an unknown action";
}

/// An answer to PING has an action, or nothing.
bool IsShort(const Header& header) { return header.payload_size <= kMaxPingBytes; }

ErrorCode CodeOfRefusal(MessageType type) {
  switch (type) {
    case MessageType::kIoSpec:
    case MessageType::kModel:
    case MessageType::kUnoptimizedModel:
      return ErrorCode::kInvalidModel;
    case MessageType::kData:
    case MessageType::kOptimizers:
      return ErrorCode::kInvalidArgument;
    case MessageType::kPing:
      return ErrorCode::kUnavailable;
    default:
      return ErrorCode::kEngineFailure;
  }
}

}  // namespace

std::uint32_t KenningClient::MostPayload() const {
  const std::uint32_t most = std::max(link_.settings().max_message_size, kSmallestMessage);
  return most - static_cast<std::uint32_t>(kHeaderBytes);
}

Result<> KenningClient::SendPart(MessageType type, const Part& part) {
  Header header;
  header.type = type;
  header.flags = part.flags;
  if (offering_) header.flags |= kNativeOffer;
  header.payload_size = part.size;
  if (part.size > 0) header.flags |= kHasPayload;
  if (link_.settings().error_recovery) {
    std::uint8_t checksum = ChecksumOf(EncodeHeader(header), {});
    for (const ConstBytes piece : part.payload) checksum ^= XorOf(piece);
    header.checksum = checksum;
  }
  const HeaderBytes bytes = EncodeHeader(header);
  pieces_.assign(1, bytes);
  pieces_.insert(pieces_.end(), part.payload.begin(), part.payload.end());
  return link_.Write(pieces_);
}

Result<> KenningClient::Send(MessageType type, std::span<const ConstBytes> payload,
                             std::uint16_t flags) {
  link_.ForgetLogs();
  std::uint64_t left = 0;
  for (const ConstBytes piece : payload) left += piece.size();
  const std::uint32_t most = MostPayload();
  if (left <= most) {
    const auto all = static_cast<std::uint16_t>(flags | kFirst | kLast);
    return SendPart(type, {all, payload, static_cast<std::uint32_t>(left)});
  }
  std::vector<ConstBytes> part;
  std::size_t index = 0;
  std::size_t within = 0;
  for (bool first = true; left > 0; first = false) {
    const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(most, left));
    part.clear();
    for (std::uint32_t room = size; room > 0;) {
      const std::size_t count = std::min<std::size_t>(room, payload[index].size() - within);
      if (count > 0) part.push_back(payload[index].subspan(within, count));
      room -= static_cast<std::uint32_t>(count);
      within += count;
      if (within == payload[index].size()) {
        ++index;
        within = 0;
      }
    }
    left -= size;
    const auto all =
        static_cast<std::uint16_t>(flags | (first ? kFirst : 0) | (left == 0 ? kLast : 0));
    KENNING_RETURN_IF_ERROR(SendPart(type, {all, part, size}));
  }
  return {};
}

Result<> KenningClient::SendSource(MessageType type, ModelSource& model, std::string_view stage) {
  link_.ForgetLogs();
  const std::uint64_t size = model.size_bytes();
  ProgressSink* progress = link_.options().progress;
  if (progress != nullptr) progress->Begin(stage, size, "bytes");
  std::vector<std::byte> buffer(std::min<std::uint64_t>(size, MostPayload()));
  Result<> sent;
  for (std::uint64_t at = 0; sent && at < size;) {
    const auto part = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), size - at));
    const bool last = at + part.size() == size;
    const auto flags = static_cast<std::uint16_t>((at == 0 ? kFirst : 0) | (last ? kLast : 0));
    sent = link_.Usable();
    if (sent) sent = model.Read(at, part);
    // A message that was begun and cannot be ended leaves nothing to go on with.
    if (!sent && at > 0) static_cast<void>(link_.End(sent.error()));
    const ConstBytes payload = part;
    if (sent)
      sent = SendPart(type, {flags, {&payload, 1}, static_cast<std::uint32_t>(part.size())});
    at += part.size();
    if (progress != nullptr) progress->Update(at);
  }
  if (progress != nullptr) progress->End();
  if (!sent && sent.error().code() == ErrorCode::kTargetLost) return WhyRefused(type, sent.error());
  return sent;
}

/// A target that refuses what is being sent says so before it closes.
Result<> KenningClient::WhyRefused(MessageType type, Error error) {
  std::string ignored;
  PayloadSink sink(ignored, kMaxConfirmationBytes);
  const Result<> answer = Receive(type, sink, kRefusalWaitS);
  const bool says = !answer && !link_.Complaints().empty();
  if (says) error.AddContext(fmt::format("the target said: {}", link_.Complaints()));
  return Fail(std::move(error));
}

Result<> KenningClient::Receive(MessageType type, PayloadSink& sink, double wait_s) {
  const std::string what = fmt::format("answer to {}", TypeName(type));
  Deadline deadline = Deadline::After(wait_s);
  bool first = true;
  for (;;) {
    KENNING_ASSIGN_OR_RETURN(const Header header, link_.NextHeader(deadline, what));
    offer_taken_ |= offering_ && header.has(kNativeOffer);
    // Of a handshake that was tried more than once.
    if (header.type == MessageType::kPing && type != MessageType::kPing && first &&
        IsShort(header)) {
      KENNING_RETURN_IF_ERROR(SkipBody(header));
      if (deadline.expired()) {
        return link_.End({ErrorCode::kDeadlineExceeded, fmt::format("no {} in time", what)});
      }
      continue;
    }
    if (header.type == type && header.has(kFail) && header.flow != FlowControl::kRequest) {
      return Refused(header);
    }
    if (header.type != type || header.flow != FlowControl::kTransmission ||
        header.has(kFirst) != first) {
      return link_.End(
          {ErrorCode::kInvalidData, fmt::format("{} sent {} where the {} was due",
                                                link_.channel().peer(), ToString(header), what)});
    }
    deadline = link_.ForBytes(sink.taken() + header.body_size());
    KENNING_RETURN_IF_ERROR(ReceiveBody(header, sink, deadline));
    if (header.has(kLast)) return {};
    first = false;
  }
}

Result<> KenningClient::ReceiveBody(const Header& header, PayloadSink& sink, Deadline deadline) {
  if (header.body_size() > sink.room()) {
    return link_.End(
        {ErrorCode::kInvalidData,
         fmt::format("{} sent {}: {} bytes more than were expected", link_.channel().peer(),
                     ToString(header), header.body_size() - sink.room())});
  }
  const HeaderBytes head = link_.reader().last_header_bytes();
  if (!link_.settings().error_recovery) {
    return link_.ReadInto(sink, header.body_size(), deadline, [](ConstBytes) {});
  }
  std::uint8_t checksum = ChecksumOf(head, {});
  KENNING_RETURN_IF_ERROR(
      link_.ReadInto(sink, header.body_size(), deadline,
                     [&checksum](ConstBytes bytes) { checksum ^= XorOf(bytes); }));
  if (checksum == header.checksum) return {};
  return link_.End(
      {ErrorCode::kInvalidData,
       fmt::format("{} sent {} with a wrong checksum: the line lost or changed bytes; a lower baud "
                   "rate or a better cable may help",
                   link_.channel().peer(), ToString(header))});
}

Result<> KenningClient::SkipBody(const Header& header) {
  const Result<> skipped = link_.reader().Skip(header.body_size(), link_.ForBytes(0));
  if (!skipped) return link_.End(skipped.error());
  return {};
}

Result<> KenningClient::Refused(const Header& header) {
  std::string body;
  PayloadSink sink(body, kMaxConfirmationBytes);
  KENNING_RETURN_IF_ERROR(ReceiveBody(header, sink, link_.ForBytes(header.body_size())));
  std::string text = fmt::format("the target answered {} with a failure", TypeName(header.type));
  if (header.flow == FlowControl::kAcknowledge) {
    text = fmt::format("the target denied {}", TypeName(header.type));
  } else if (body.size() == 1) {
    text += fmt::format(" of {}", ActionText(static_cast<std::byte>(body[0])));
  }
  const std::string complaints = link_.Complaints();
  if (!complaints.empty()) text += ": " + complaints;
  // Kenning's protocol has no word for it; our agent's line begins so.
  if (const std::size_t busy = complaints.find("busy:"); busy != std::string::npos) {
    return Fail(ErrorCode::kUnavailable, complaints.substr(busy));
  }
  return Fail(CodeOfRefusal(header.type), std::move(text));
}

Result<> KenningClient::Confirm(MessageType type, double wait_s) {
  std::array<std::byte, 16> action{};
  const std::array<MutableBytes, 1> places{action};
  PayloadSink sink(places);
  return Receive(type, sink, wait_s);
}

Result<> KenningClient::Greet() {
  KENNING_RETURN_IF_ERROR(link_.Usable());
  const Deadline deadline = Deadline::After(link_.times().greeting_s);
  if (Result<> there = link_.Await(deadline, "greeting"); !there) {
    Error error = there.error();
    if (error.code() == ErrorCode::kDeadlineExceeded) {
      error = {error.code(),
               error.message() + ": it may be serving another client, or be no Kenning server"};
    }
    return Fail(std::move(error));
  }
  std::array<std::byte, 1> greeting{};
  if (Result<> read = link_.reader().Read(greeting, deadline); !read)
    return link_.End(read.error());
  if (greeting[0] == std::byte{0}) return {};
  return link_.End(
      {ErrorCode::kInvalidData,
       fmt::format("{} greets with byte 0x{:02x} instead of 0: it is no Kenning server, or speaks "
                   "TLS",
                   link_.channel().peer(), std::to_integer<unsigned>(greeting[0]))});
}

Result<> KenningClient::Shake() {
  const bool offering = offering_;
  for (int attempt = 0; attempt < kPings; ++attempt) {
    KENNING_RETURN_IF_ERROR(link_.Usable());
    offering_ = offering && attempt < kOfferingPings;
    const Result<> sent = Send(MessageType::kPing, {}, kSuccess);
    offering_ = offering;
    KENNING_RETURN_IF_ERROR(sent);
    KENNING_ASSIGN_OR_RETURN(const bool answered,
                             AwaitPing(Deadline::After(link_.times().handshake_s)));
    if (answered) return {};
  }
  return link_.End({ErrorCode::kTargetLost,
                    fmt::format("{} answered none of {} PINGs: is the device on, does it run the "
                                "agent or Kenning's runtime, is the baud rate the same?",
                                link_.channel().peer(), kPings)});
}

/// Looks for the answer among whatever bytes come. False: not in time.
Result<bool> KenningClient::AwaitPing(Deadline deadline) {
  HeaderBytes window{};
  for (std::size_t seen = 1; seen <= kMaxNoiseBytes; ++seen) {
    std::array<std::byte, 1> byte{};
    if (Result<> read = link_.reader().Read(byte, deadline); !read) {
      if (read.error().code() == ErrorCode::kDeadlineExceeded) return false;
      return link_.End(read.error());
    }
    std::shift_left(window.begin(), window.end(), 1);
    window.back() = byte[0];
    if (seen < kHeaderBytes) continue;
    const Header header = DecodeHeader(window);
    const bool ping = header.type == MessageType::kPing && header.flow != FlowControl::kRequest &&
                      header.has(kSuccess) != header.has(kFail) && IsShort(header);
    if (!ping) continue;
    std::array<std::byte, kMaxPingBytes> action{};
    const auto payload = std::span(action).first(header.body_size());
    if (Result<> read = link_.reader().Read(payload, deadline); !read) {
      if (read.error().code() == ErrorCode::kDeadlineExceeded) return false;
      return link_.End(read.error());
    }
    const bool checked = link_.settings().error_recovery;
    if (checked && ChecksumOf(window, payload) != header.checksum) continue;
    if (header.has(kFail)) {
      return link_.End({ErrorCode::kUnavailable,
                        fmt::format("{} denies a session: it may be serving another client",
                                    link_.channel().peer())});
    }
    offer_taken_ |= offering_ && header.has(kNativeOffer);
    return true;
  }
  return false;
}

Result<> KenningClient::Close(double wait_s) {
  KENNING_RETURN_IF_ERROR(Send(MessageType::kPing, {}, kFail));
  const Deadline deadline = Deadline::After(wait_s);
  const std::string what = "answer to PING";
  KENNING_ASSIGN_OR_RETURN(const Header header, link_.NextHeader(deadline, what));
  if (header.type != MessageType::kPing || !IsShort(header)) {
    return link_.End({ErrorCode::kInvalidData, fmt::format("no {}", what)});
  }
  return SkipBody(header);
}

Result<> KenningClient::SendIoSpec(const std::string& json) {
  if (link_.settings().dialect == WireDialect::kUart) {
    KENNING_ASSIGN_OR_RETURN(const auto bytes, UartIoSpecFromJson(json));
    const ConstBytes payload(bytes);
    KENNING_RETURN_IF_ERROR(Send(MessageType::kIoSpec, {&payload, 1}, kSerialized));
  } else {
    const ConstBytes payload = std::as_bytes(std::span(json));
    KENNING_RETURN_IF_ERROR(Send(MessageType::kIoSpec, {&payload, 1}));
  }
  return Confirm(MessageType::kIoSpec, link_.times().answer_s);
}

Result<> KenningClient::SendModel(ModelSource& model) {
  KENNING_RETURN_IF_ERROR(SendSource(MessageType::kModel, model, "Sending the model"));
  return Confirm(MessageType::kModel, link_.times().load_s);
}

Result<> KenningClient::SendNoModel() {
  KENNING_RETURN_IF_ERROR(Send(MessageType::kModel, {}));
  return Confirm(MessageType::kModel, link_.times().load_s);
}

Result<TargetClient::InferResult> KenningClient::Infer(std::span<const TensorView> inputs,
                                                       std::span<const MutableTensorView> outputs) {
  inputs_.clear();
  for (const TensorView& input : inputs) inputs_.emplace_back(input.data, input.size_bytes);
  places_.clear();
  for (const MutableTensorView& output : outputs) {
    places_.emplace_back(output.data, output.size_bytes);
  }
  KENNING_RETURN_IF_ERROR(Send(MessageType::kData, inputs_));
  KENNING_RETURN_IF_ERROR(Confirm(MessageType::kData, link_.times().inference_s));
  TargetClient::InferResult result;
  const std::int64_t start = MonotonicNowNs();
  KENNING_RETURN_IF_ERROR(Send(MessageType::kProcess, {}));
  KENNING_RETURN_IF_ERROR(Confirm(MessageType::kProcess, link_.times().inference_s));
  result.process_ns = MonotonicNowNs() - start;
  KENNING_RETURN_IF_ERROR(Send(MessageType::kOutput, {}));
  PayloadSink sink(places_);
  KENNING_RETURN_IF_ERROR(Receive(MessageType::kOutput, sink, link_.times().inference_s));
  if (sink.room() > 0) {
    return link_.End(
        {ErrorCode::kInvalidData,
         fmt::format("{} gave {} bytes of output where {} were expected: the IO "
                     "specification is not the model's",
                     link_.channel().peer(), sink.taken(), sink.taken() + sink.room())});
  }
  return result;
}

Result<std::string> KenningClient::Statistics() {
  KENNING_RETURN_IF_ERROR(Send(MessageType::kStats, {}));
  std::string text;
  PayloadSink sink(text, kMaxStatisticsBytes);
  KENNING_RETURN_IF_ERROR(Receive(MessageType::kStats, sink, link_.times().answer_s));
  if (link_.settings().dialect == WireDialect::kUart) {
    KENNING_ASSIGN_OR_RETURN(const auto stats, DecodeUartStats(std::as_bytes(std::span(text))));
    return UartStatsToJson(stats);
  }
  return text;
}

Result<std::string> KenningClient::Optimize(ModelSource& model,
                                            const std::string& optimizers_request) {
  const ConstBytes payload = std::as_bytes(std::span(optimizers_request));
  KENNING_RETURN_IF_ERROR(Send(MessageType::kOptimizers, {&payload, 1}));
  KENNING_RETURN_IF_ERROR(Confirm(MessageType::kOptimizers, link_.times().answer_s));
  KENNING_RETURN_IF_ERROR(
      SendSource(MessageType::kUnoptimizedModel, model, "Sending the model to optimise"));
  KENNING_RETURN_IF_ERROR(Confirm(MessageType::kUnoptimizedModel, link_.times().load_s));
  KENNING_RETURN_IF_ERROR(Send(MessageType::kOptimizeModel, {}));
  std::string bytes;
  PayloadSink sink(bytes, kMaxModelBytes);
  KENNING_RETURN_IF_ERROR(Receive(MessageType::kOptimizeModel, sink, link_.times().optimise_s));
  return bytes;
}

}  // namespace kenning::wire
