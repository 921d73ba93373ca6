// SPDX-License-Identifier: Apache-2.0
#include "wire/native_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "wire/clean_text.h"
#include "wire/little_endian.h"

namespace kenning::wire {
namespace {

constexpr std::uint32_t kMaxFailureBytes = 64 << 10;
constexpr std::uint64_t kMaxJsonBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxAnswerBytes = std::uint64_t{256} << 20;
/// Unread answers, or unanswered requests, of this size fit into what a connection holds by itself:
/// then neither side waits for the other to read.
constexpr std::uint64_t kHeldBytes = std::uint64_t{64} << 10;

}  // namespace

tl::unexpected<Error> NativeClient::Nonsense(NativeType type, std::string_view what) {
  return link_.End(
      {ErrorCode::kInvalidData, fmt::format("the answer of {} to {}: {}", link_.channel().peer(),
                                            TypeName(static_cast<MessageType>(type)), what)});
}

Result<std::uint32_t> NativeClient::Send(NativeType type, std::span<const ConstBytes> body,
                                         double wait_s, std::uint32_t samples) {
  std::uint64_t bytes = kNativePrefixBytes;
  for (const ConstBytes piece : body) bytes += piece.size();
  if (bytes > UINT32_MAX) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} bytes are more than a message holds", bytes));
  }
  link_.ForgetLogs();
  NativePrefix prefix;
  prefix.request_id = next_id_++;
  prefix.deadline_or_status = static_cast<std::uint32_t>(std::clamp(wait_s * 1000, 1.0, 4e9));
  prefix.sample_count = samples;
  prefix.sender_clock_ns = MonotonicNowNs();
  const NativeHead head = MakeNativeHead(type, FlowControl::kRequest, 0, prefix, body);
  pieces_.assign(1, head.bytes);
  pieces_.insert(pieces_.end(), body.begin(), body.end());
  KENNING_RETURN_IF_ERROR(link_.Write(pieces_));
  return prefix.request_id;
}

Result<NativePrefix> NativeClient::Receive(NativeType type, std::uint32_t id, PayloadSink& sink,
                                           double wait_s) {
  const auto message_type = static_cast<MessageType>(type);
  Header header;
  // The name is made where it is needed: this is the path of every sample.
  KENNING_ASSIGN_OR_RETURN(header, link_.NextHeader(Deadline::After(wait_s), "answer"),
                           "a request " + TypeName(message_type));
  const bool whole = header.has(kFirst) && header.has(kLast);
  if (header.type != message_type || header.flow != FlowControl::kTransmission || !whole ||
      header.has(kSuccess) == header.has(kFail) || header.body_size() < kNativePrefixBytes) {
    return Nonsense(type, ToString(header));
  }
  const std::uint32_t body_size =
      header.body_size() - static_cast<std::uint32_t>(kNativePrefixBytes);
  const Deadline deadline = link_.ForBytes(header.body_size());
  HeaderBytes head = link_.reader().last_header_bytes();
  head[5] = std::byte{0};
  NativePrefixBytes prefix_bytes;
  if (Result<> read = link_.reader().Read(prefix_bytes, deadline); !read) {
    return link_.End(read.error());
  }
  const NativePrefix prefix = DecodePrefix(prefix_bytes);
  std::uint32_t crc = Crc32c(ConstBytes(prefix_bytes).subspan(4), Crc32c(head));
  if (prefix.request_id != id) {
    return Nonsense(type, fmt::format("it is of request {}, not {}", prefix.request_id, id));
  }
  if (header.has(kFail)) {
    KENNING_RETURN_IF_ERROR(ReceiveFailure(header, prefix, crc, deadline));
  }
  if (body_size > sink.room()) {
    return Nonsense(type, fmt::format("{} bytes where at most {} can be", body_size, sink.room()));
  }
  KENNING_RETURN_IF_ERROR(link_.ReadInto(sink, body_size, deadline,
                                         [&crc](ConstBytes bytes) { crc = Crc32c(bytes, crc); }));
  if (crc != prefix.crc32c) return Nonsense(type, "its CRC is wrong: bytes were changed");
  return prefix;
}

/// Never succeeds: the target's failure, or one of the connection.
Result<> NativeClient::ReceiveFailure(const Header& header, const NativePrefix& prefix,
                                      std::uint32_t crc, Deadline deadline) {
  const auto type = static_cast<NativeType>(header.type);
  const std::uint32_t size = header.body_size() - static_cast<std::uint32_t>(kNativePrefixBytes);
  if (size > kMaxFailureBytes) return Nonsense(type, "a failure with too long a text");
  std::string text;
  PayloadSink sink(text, size);
  KENNING_RETURN_IF_ERROR(
      link_.ReadInto(sink, size, deadline, [&crc](ConstBytes bytes) { crc = Crc32c(bytes, crc); }));
  if (crc != prefix.crc32c) return Nonsense(type, "its CRC is wrong: bytes were changed");
  text = CleanText(text);
  const auto status = static_cast<StatusCode>(prefix.deadline_or_status);
  if (text.empty()) text = fmt::format("the target failed at {}", TypeName(header.type));
  if (status == StatusCode::kBusy && !text.starts_with("busy:")) text = "busy: " + text;
  return Fail(ErrorCodeOf(status), std::move(text));
}

Result<NativePrefix> NativeClient::Call(NativeType type, std::span<const ConstBytes> body,
                                        PayloadSink& sink, double wait_s) {
  KENNING_ASSIGN_OR_RETURN(const std::uint32_t id, Send(type, body, wait_s));
  return Receive(type, id, sink, wait_s);
}

Result<std::string> NativeClient::CallJson(NativeType type, const std::string& body,
                                           double wait_s) {
  const ConstBytes piece = std::as_bytes(std::span(body));
  std::string answer;
  PayloadSink sink(answer, kMaxJsonBytes);
  KENNING_RETURN_IF_ERROR(Call(type, {&piece, 1}, sink, wait_s));
  return answer;
}

Result<std::uint64_t> NativeClient::CallNumber(NativeType type, std::span<const ConstBytes> body) {
  std::array<std::byte, 8> number{};
  const std::array<MutableBytes, 1> places{number};
  PayloadSink sink(places);
  KENNING_RETURN_IF_ERROR(Call(type, body, sink, link_.times().answer_s));
  if (sink.room() > 0) return Nonsense(type, "it is too short");
  return LoadLe<std::uint64_t>(number.data());
}

Result<ClockOffset> NativeClient::MeasureClock(int rounds) {
  ClockOffset best;
  for (int i = 0; i < std::max(1, rounds); ++i) {
    KENNING_RETURN_IF_ERROR(link_.Usable());
    std::array<std::byte, 16> clocks{};
    const std::array<MutableBytes, 1> places{clocks};
    PayloadSink sink(places);
    const std::int64_t before = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(Call(NativeType::kClock, {}, sink, link_.times().answer_s));
    const std::int64_t after = MonotonicNowNs();
    const auto received = LoadLe<std::int64_t>(clocks.data());
    const auto sent = LoadLe<std::int64_t>(clocks.data() + 8);
    if (sink.room() > 0 || received < 0 || sent < received) {
      return Nonsense(NativeType::kClock, "it is no pair of times");
    }
    // What the target took cannot be more than all.
    const std::int64_t trip = std::max<std::int64_t>(1, after - before - (sent - received));
    if (i > 0 && trip >= best.round_trip_ns) continue;
    best.round_trip_ns = trip;
    best.uncertainty_ns = (trip + 1) / 2;
    // The middle of both stays; halves first, so that nothing overflows.
    best.offset_ns = (received - before) / 2 + (sent - after) / 2;
  }
  return best;
}

Result<std::int64_t> NativeClient::Echo(std::size_t bytes) {
  if (bytes + kNativePrefixBytes > most_payload_) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("an echo of {} bytes: the target takes at most {}", bytes,
                            most_payload_ - kNativePrefixBytes));
  }
  std::vector<std::byte> out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::byte>(i * 131 >> 3U);
  std::vector<std::byte> back(bytes);
  const ConstBytes piece(out);
  const std::array<MutableBytes, 1> places{back};
  PayloadSink sink(places);
  const std::int64_t before = MonotonicNowNs();
  KENNING_RETURN_IF_ERROR(Call(NativeType::kEcho, {&piece, 1}, sink, link_.times().answer_s));
  const std::int64_t taken = MonotonicNowNs() - before;
  if (sink.room() > 0 || out != back) return Nonsense(NativeType::kEcho, "other bytes than sent");
  return taken;
}

Result<std::uint32_t> NativeClient::SendSample(std::span<const TensorView> inputs) {
  inputs_.clear();
  for (const TensorView& input : inputs) inputs_.emplace_back(input.data, input.size_bytes);
  return Send(NativeType::kInfer, inputs_, link_.times().inference_s, 1);
}

Result<InferTimes> NativeClient::TimesFrom(std::span<const std::byte, kInferTimesBytes> bytes) {
  const InferTimes times = DecodeInferTimes(bytes);
  if (times.received_ns < 0 || times.invoke_start_ns < times.received_ns ||
      times.invoke_end_ns < times.invoke_start_ns || times.sent_ns < times.invoke_end_ns) {
    return Nonsense(NativeType::kInfer, "its times are in no order");
  }
  return times;
}

Result<TargetClient::InferResult> NativeClient::ReceiveSample(
    std::uint32_t id, std::span<const MutableTensorView> outputs) {
  std::array<std::byte, kInferTimesBytes> times{};
  places_.assign(1, times);
  for (const MutableTensorView& output : outputs) {
    places_.emplace_back(output.data, output.size_bytes);
  }
  PayloadSink sink(places_);
  KENNING_RETURN_IF_ERROR(Receive(NativeType::kInfer, id, sink, link_.times().inference_s));
  if (sink.room() > 0) {
    return Nonsense(NativeType::kInfer,
                    fmt::format("{} bytes less than the outputs take", sink.room()));
  }
  answer_bytes_ = sink.taken();
  TargetClient::InferResult result;
  KENNING_ASSIGN_OR_RETURN(result.times, TimesFrom(times));
  result.process_ns = result.times->invoke_end_ns - result.times->invoke_start_ns;
  return result;
}

Result<TargetClient::InferResult> NativeClient::Infer(std::span<const TensorView> inputs,
                                                      std::span<const MutableTensorView> outputs) {
  KENNING_ASSIGN_OR_RETURN(const std::uint32_t id, SendSample(inputs));
  return ReceiveSample(id, outputs);
}

/// Takes answers until the next request can be written while the target still writes: else both
/// could wait for each other to read.
Result<> NativeClient::MakeRoom(std::uint64_t request_bytes) {
  for (;;) {
    if (sent_.empty()) return {};
    std::uint64_t requests = request_bytes;
    for (const Sent& one : sent_) requests += one.bytes;
    const bool answers_fit = answer_bytes_ > 0 && answer_bytes_ * sent_.size() <= kHeldBytes;
    if (answers_fit || requests <= kHeldBytes) return {};
    KENNING_RETURN_IF_ERROR(KeepOldest());
  }
}

Result<> NativeClient::KeepOldest() {
  Kept kept;
  std::array<std::byte, kInferTimesBytes> times{};
  PayloadSink sink(kept.outputs, kMaxAnswerBytes);
  const Result<NativePrefix> got =
      Receive(NativeType::kInfer, sent_.front().id, sink, link_.times().inference_s);
  sent_.pop_front();
  if (link_.over()) return Fail(got.error());
  if (!got) {
    kept.result = Fail(got.error());
  } else {
    if (kept.outputs.size() < kInferTimesBytes) {
      return Nonsense(NativeType::kInfer, "it is too short");
    }
    answer_bytes_ = kept.outputs.size();
    std::memcpy(times.data(), kept.outputs.data(), times.size());
    kept.outputs.erase(0, times.size());
    KENNING_ASSIGN_OR_RETURN(kept.result->times, TimesFrom(times));
    kept.result->process_ns =
        kept.result->times->invoke_end_ns - kept.result->times->invoke_start_ns;
  }
  std::uint64_t held = kept.outputs.size();
  for (const Kept& one : kept_) held += one.outputs.size();
  if (held > kMaxAnswerBytes) {
    return link_.End(
        {ErrorCode::kResourceExhausted,
         fmt::format("{} bytes of answers wait: take them before sending more", held)});
  }
  kept_.push_back(std::move(kept));
  return {};
}

Result<> NativeClient::SendInfer(std::span<const TensorView> inputs) {
  if (in_flight() >= TargetClient::kMaxInFlight) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{} inferences are in flight, the most", in_flight()));
  }
  std::uint64_t bytes = 0;
  for (const TensorView& input : inputs) bytes += input.size_bytes;
  KENNING_RETURN_IF_ERROR(MakeRoom(bytes));
  KENNING_ASSIGN_OR_RETURN(const std::uint32_t id, SendSample(inputs));
  sent_.push_back({id, bytes});
  return {};
}

Result<bool> NativeClient::AwaitAnswer(Deadline until) {
  if (in_flight() == 0) return Fail(ErrorCode::kFailedPrecondition, "no inference is in flight");
  if (!kept_.empty() || link_.reader().buffered() > 0) return true;
  const Result<bool> there = link_.reader().Await(until);
  if (there && *there) return true;
  if (!there && there.error().code() == ErrorCode::kDeadlineExceeded) return false;
  if (!there) return link_.End(there.error());
  return link_.End({ErrorCode::kTargetLost,
                    fmt::format("{} closed the connection; there is no answer of an inference",
                                link_.channel().peer())});
}

Result<TargetClient::InferResult> NativeClient::ReceiveInfer(
    std::span<const MutableTensorView> outputs) {
  if (kept_.empty()) {
    if (sent_.empty()) {
      return Fail(ErrorCode::kFailedPrecondition, "no inference is in flight");
    }
    const std::uint32_t id = sent_.front().id;
    sent_.pop_front();
    return ReceiveSample(id, outputs);
  }
  const Kept kept = std::move(kept_.front());
  kept_.pop_front();
  if (!kept.result) return kept.result;
  std::string_view left = kept.outputs;
  for (const MutableTensorView& output : outputs) {
    if (output.size_bytes > left.size()) break;
    std::memcpy(output.data, left.data(), output.size_bytes);
    left.remove_prefix(output.size_bytes);
  }
  std::uint64_t wanted = 0;
  for (const MutableTensorView& output : outputs) wanted += output.size_bytes;
  if (wanted != kept.outputs.size()) {
    return Nonsense(NativeType::kInfer,
                    fmt::format("{} bytes where the outputs take {}", kept.outputs.size(), wanted));
  }
  return kept.result;
}

}  // namespace kenning::wire
