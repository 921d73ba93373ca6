// SPDX-License-Identifier: Apache-2.0
#include "wire/target_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "wire/logs.h"
#include "wire/target_server_impl.h"

namespace kenning::wire {
namespace {

// A refused payload up to this is skipped; a longer one ends the session.
constexpr std::uint64_t kMaxSkipBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxSkipUnknownPeerBytes = std::uint64_t{1} << 20;
constexpr double kQuietS = 0.1;
constexpr double kLongestNoiseS = 5;
constexpr double kLingerS = 1;
// UART at 9600 baud takes a second for 960 bytes.
constexpr double kUartSecondsAByte = 1.2 / 1024;
constexpr double kSecondsAByte = 1.0 / (1 << 20);
constexpr double kUartStallS = 5;
constexpr std::size_t kUartPieceBytes = 256;

std::uint32_t UsableMessageSize(const WireSettings& settings) {
  return std::max<std::uint32_t>(settings.max_message_size, kHeaderBytes + 1);
}

}  // namespace

ServerAction ActionOf(MessageType type) {
  switch (type) {
    case MessageType::kPing:
      return ServerAction::kClientConnected;
    case MessageType::kData:
      return ServerAction::kUploadingInput;
    case MessageType::kModel:
      return ServerAction::kUploadingModel;
    case MessageType::kProcess:
      return ServerAction::kProcessingInput;
    case MessageType::kOutput:
      return ServerAction::kExtractingOutput;
    case MessageType::kStats:
      return ServerAction::kComputingStatistics;
    case MessageType::kIoSpec:
      return ServerAction::kUploadingIoSpec;
    case MessageType::kOptimizers:
      return ServerAction::kUploadingOptimizers;
    case MessageType::kOptimizeModel:
      return ServerAction::kOptimizingModel;
    case MessageType::kRuntime:
      return ServerAction::kUploadingRuntime;
    case MessageType::kUnoptimizedModel:
      return ServerAction::kUploadingUnoptimizedModel;
    case MessageType::kStatus:
    case MessageType::kTraceData:
    case MessageType::kLogs:
      break;
  }
  return ServerAction::kIdle;
}

TargetServer::TargetServer(Channel& channel, TargetBackend& backend, ModelStore& store,
                           ServerOptions options)
    : impl_(std::make_unique<Impl>(channel, backend, store, std::move(options))) {}
TargetServer::~TargetServer() = default;
Result<> TargetServer::Serve() { return impl_->Serve(); }
void TargetServer::Log(LogLevel level, std::string_view text) { impl_->Log(level, text); }

TargetServer::Impl::Impl(Channel& channel, TargetBackend& backend, ModelStore& store,
                         ServerOptions options)
    : channel_(channel),
      backend_(backend),
      store_(store),
      options_(std::move(options)),
      reader_(channel),
      outgoing_(UsableMessageSize(options_.settings), options_.settings.error_recovery),
      joiner_([this](MessageType type) { return CapOf(type); }),
      samples_(options_.limits.max_input_bytes) {}

Result<> TargetServer::Impl::Serve() {
  ForgetClient();
  Result<> ended;
  try {
    ended = ServeMessages();
  } catch (const std::bad_alloc&) {
    ended = Fail(ErrorCode::kResourceExhausted, "no memory is left for this session");
  }
  MarkIdle();
  if (!ended && !write_failed_ && ended.error().code() != ErrorCode::kTargetLost) Linger();
  return ended;
}

Result<> TargetServer::Impl::ServeMessages() {
  KENNING_RETURN_IF_ERROR(Greet());
  for (bool first = true; !closed_; first = false) {
    KENNING_ASSIGN_OR_RETURN(const bool more, AwaitMessage(first));
    if (!more) return {};
    bool ended = false;
    Result<> served;
    const Result<Header> header = reader_.ReadHeader(ended, MessageDeadline(0));
    if (!header) {
      served = Fail(header.error());
    } else {
      served = ServeMessage(*header);
    }
    if (served) continue;
    // A line that lost bytes in the middle of a message: the next one may be whole again.
    const bool broken_off = served.error().code() == ErrorCode::kDeadlineExceeded;
    if (!uart() || !broken_off || write_failed_) return served;
    joiner_.DropAll();
    KENNING_RETURN_IF_ERROR(AwaitQuiet());
  }
  return {};
}

Result<> TargetServer::Impl::Greet() {
  proof_deadline_ = Deadline::After(options_.limits.greeting_timeout_s);
  if (uart()) return {};
  constexpr std::byte kGreeting[1] = {};
  outgoing_.AddRaw(kGreeting);
  return Flush();
}

Result<bool> TargetServer::Impl::AwaitMessage(bool first) {
  if (uart()) return reader_.Await(Deadline::Never());
  const double patience =
      first ? options_.limits.greeting_timeout_s : options_.limits.idle_timeout_s;
  const Deadline deadline = authenticated_ ? Deadline::After(patience) : proof_deadline_;
  if (!deadline.expired()) {  // one that sends without a pause has no more time than others
    auto more = reader_.Await(deadline);
    if (more || more.error().code() != ErrorCode::kDeadlineExceeded) return more;
  }
  return Fail(ErrorCode::kDeadlineExceeded,
              authenticated_ ? fmt::format("{} sent no request for {} s", channel_.peer(), patience)
                             : fmt::format("{} did not show the token in time", channel_.peer()));
}

Result<> TargetServer::Impl::ServeMessage(const Header& header) {
  Result<> served =
      IsNative(header.type) && speaks_native() ? ServeNative(header) : ServeKenning(header);
  if (options_.on_activity) options_.on_activity();
  return served;
}

double TargetServer::Impl::SecondsFor(std::uint64_t bytes) const {
  return static_cast<double>(bytes) * (uart() ? kUartSecondsAByte : kSecondsAByte);
}

Deadline TargetServer::Impl::MessageDeadline(std::uint64_t bytes) const {
  const double patience = options_.limits.message_timeout_s;
  return Deadline::After((uart() ? std::min(patience, kUartStallS) : patience) + SecondsFor(bytes));
}

// A size that noise made up must not keep the line for hours: over UART each piece has its time.
Result<> TargetServer::Impl::ReadBody(MutableBytes out, Deadline deadline) {
  if (!uart()) return reader_.Read(out, deadline);
  while (!out.empty()) {
    const MutableBytes piece = out.first(std::min(out.size(), kUartPieceBytes));
    KENNING_RETURN_IF_ERROR(reader_.Read(piece, MessageDeadline(piece.size())));
    out = out.subspan(piece.size());
  }
  return {};
}

Result<> TargetServer::Impl::SkipBody(std::uint64_t size) {
  if (size == 0) return {};
  if (uart()) return AwaitQuiet();  // what is announced need not come
  if (size > (authenticated_ ? kMaxSkipBytes : kMaxSkipUnknownPeerBytes)) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{} announced a refused payload of {} bytes", channel_.peer(), size));
  }
  return reader_.Skip(size, MessageDeadline(size));
}

Result<> TargetServer::Impl::AwaitQuiet() {
  const Deadline enough = Deadline::After(kLongestNoiseS);
  while (!enough.expired()) {
    KENNING_RETURN_IF_ERROR(reader_.Skip(reader_.buffered(), Deadline::Never()));
    const auto more = reader_.Await(Deadline::After(kQuietS));
    if (!more && more.error().code() == ErrorCode::kDeadlineExceeded) return {};
    if (!more) return Fail(more.error());
    if (!*more) return {};  // the end, which the next Await sees, too
  }
  return {};
}

void TargetServer::Impl::Linger() {
  const Deadline enough = Deadline::After(kLingerS);
  std::uint64_t dropped = 0;
  while (dropped < kMaxSkipBytes && !enough.expired()) {
    dropped += reader_.buffered();
    if (!reader_.Skip(reader_.buffered(), enough)) return;
    const auto more = reader_.Await(enough);
    if (!more || !*more) return;
  }
}

Result<> TargetServer::Impl::CountProtocolError() {
  if (++protocol_errors_ <= options_.limits.max_protocol_errors) return {};
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{} errors of protocol by {}", protocol_errors_, channel_.peer()));
}

void TargetServer::Impl::MarkBusy(const Header& header, std::uint32_t id,
                                  std::int64_t deadline_ns) {
  if (options_.state == nullptr) return;
  SessionState& state = *options_.state;
  constexpr auto kRelaxed = std::memory_order_relaxed;
  state.request_type.store(static_cast<std::uint64_t>(header.type), kRelaxed);
  state.request_id.store(id, kRelaxed);
  state.native.store(IsNative(header.type) && speaks_native() ? 1 : 0, kRelaxed);
  state.deadline_ns.store(deadline_ns, kRelaxed);
  state.busy_since_ns.store(MonotonicNowNs(), kRelaxed);
  state.busy.store(1, std::memory_order_release);
}

void TargetServer::Impl::MarkIdle() {
  if (options_.state == nullptr) return;
  options_.state->busy.store(0, std::memory_order_release);
}

Result<> TargetServer::Impl::Flush() {
  MarkIdle();
  std::uint64_t bytes = 0;
  for (const ConstBytes piece : outgoing_.pieces()) bytes += piece.size();
  auto written = channel_.WriteAll(
      outgoing_.pieces(), Deadline::After(options_.limits.write_timeout_s + SecondsFor(bytes)));
  outgoing_.Clear();
  if (!written) write_failed_ = true;
  return written;
}

void TargetServer::Impl::AddLogs() {
  if (logs_.empty()) return;
  logs_.Take(log_payload_);
  if (log_payload_.empty()) return;
  const ConstBytes payload[] = {log_payload_};
  outgoing_.Add({.type = MessageType::kLogs,
                 .flow = FlowControl::kTransmission,
                 .flags = static_cast<std::uint16_t>(kIsKenning)},
                payload);
}

Result<> TargetServer::Impl::Answer(const Header& request, bool success,
                                    std::span<const ConstBytes> payload) {
  AddLogs();
  Header header{.type = request.type, .flow = FlowControl::kTransmission};
  header.flags = static_cast<std::uint16_t>(kIsKenning | (success ? kSuccess : kFail));
  if (request.has(kNativeOffer) && speaks_native()) header.flags |= kNativeOffer;
  outgoing_.Add(header, payload);
  return Flush();
}

Result<> TargetServer::Impl::AnswerAction(const Header& request, bool success,
                                          ServerAction action) {
  const std::byte byte[] = {static_cast<std::byte>(action)};
  const ConstBytes payload[] = {byte};
  if (request.type == MessageType::kPing) return Answer(request, success, {});
  return Answer(request, success, payload);
}

Result<> TargetServer::Impl::Refuse(const Header& request, const Error& error) {
  logs_.Add(LogLevel::kError, fmt::format("{}: {}", TypeName(request.type), error.ToString()));
  return AnswerAction(request, false, ActionOf(request.type));
}

std::vector<std::byte> FailureAnswer(std::uint64_t request_type, std::uint32_t request_id,
                                     bool native, StatusCode status, std::string_view text,
                                     const WireSettings& settings) {
  std::vector<std::byte> bytes;
  const auto append = [&bytes](ConstBytes piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
  };
  if (native) {
    const ConstBytes body[] = {std::as_bytes(std::span(text.data(), text.size()))};
    NativePrefix prefix{.request_id = request_id,
                        .deadline_or_status = static_cast<std::uint32_t>(status),
                        .sender_clock_ns = MonotonicNowNs()};
    append(MakeNativeHead(static_cast<NativeType>(request_type), FlowControl::kTransmission,
                          kFail | kIsKenning, prefix, body)
               .bytes);
    append(body[0]);
    return bytes;
  }
  const auto type = static_cast<MessageType>(request_type);
  std::vector<std::byte> logs;
  AppendLog(logs, LogLevel::kError, text);
  const std::byte action[] = {static_cast<std::byte>(ActionOf(type))};
  const ConstBytes log_payload[] = {logs};
  const ConstBytes payload[] = {type == MessageType::kPing ? ConstBytes() : ConstBytes(action)};
  OutgoingParts parts(UsableMessageSize(settings), settings.error_recovery);
  if (!logs.empty()) {
    parts.Add({.type = MessageType::kLogs,
               .flow = FlowControl::kTransmission,
               .flags = static_cast<std::uint16_t>(kIsKenning)},
              log_payload);
  }
  parts.Add({.type = type,
             .flow = FlowControl::kTransmission,
             .flags = static_cast<std::uint16_t>(kFail | kIsKenning)},
            payload);
  for (const ConstBytes piece : parts.pieces()) append(piece);
  return bytes;
}

}  // namespace kenning::wire
