// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io_spec/io_spec_json.h"
#include "kenning/base/json_depth.h"
#include "wire/target_server_impl.h"
#include "wire/uart_structs.h"

namespace kenning::wire {
namespace {

using Json = nlohmann::ordered_json;

std::string_view TextOf(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool IsRequestToServers(MessageType type) {
  return type != MessageType::kTraceData && type != MessageType::kLogs;
}

}  // namespace

void TargetServer::Impl::ForgetClient() {
  joiner_.DropAll();
  authenticated_ = options_.settings.token.empty();
  open_ = !uart();
  closed_ = false;
  protocol_errors_ = 0;
  doing_ = uart() ? ServerAction::kWaitingForClient : ServerAction::kClientConnected;
  spec_there_ = input_there_ = output_there_ = shapes_given_ = false;
  samples_.DropModel();
  io_spec_.clear();
  model_sha256_.clear();
  optimizers_.clear();
  unoptimized_sha256_.clear();
  server_nonce_.clear();
  upload_sha256_.clear();
}

Result<> TargetServer::Impl::ServeKenning(const Header& header) {
  if (CannotBe(header)) return DropNoise(header);
  if (header.flow == FlowControl::kTransmission || header.flow == FlowControl::kAcknowledge) {
    logs_.Add(LogLevel::kWarning,
              fmt::format("ignored what a client does not send: {}", ToString(header)));
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    return SkipBody(header.body_size());
  }
  if (joiner_.Swallows(header)) return SkipBody(header.body_size());
  if (const auto error = MayNotAsk(header)) return RefusePart(header, *error);
  return ServePart(header);
}

// Of a type that nobody knows a client of Kenning would not take an answer.
Result<> TargetServer::Impl::DropNoise(const Header& header) {
  joiner_.DropAll();
  KENNING_RETURN_IF_ERROR(AwaitQuiet());
  const Result<> counted = CountProtocolError();
  const Error error(ErrorCode::kInvalidData, "noise on the line, or a message that is too large");
  if (header.type <= MessageType::kLogs) {
    KENNING_RETURN_IF_ERROR(Refuse(header, error));
  } else {
    logs_.Add(LogLevel::kError, error.message());
    AddLogs();
    KENNING_RETURN_IF_ERROR(Flush());
  }
  return counted;
}

// A line with noise gives headers like this; what follows them is no payload.
bool TargetServer::Impl::CannotBe(const Header& header) const {
  if (!uart()) return false;
  return header.type > MessageType::kLogs ||
         header.body_size() + kHeaderBytes > options_.settings.max_message_size;
}

std::optional<Error> TargetServer::Impl::MayNotAsk(const Header& header) const {
  if (header.flow == FlowControl::kRequestRetransmit) {
    return Error(ErrorCode::kUnsupported, "answers are not kept: ask again");
  }
  if (header.type == MessageType::kPing) return std::nullopt;  // the handshake of UART
  if (!open_) {
    return Error(ErrorCode::kFailedPrecondition, "open the session by PING with SUCCESS first");
  }
  if (!authenticated_) {
    return Error(ErrorCode::kUnavailable,
                 "this target wants authentication, which Kenning's protocol has not: use "
                 "kenning's own client with the token");
  }
  if (options_.settings.native == NativeMode::kOn && !header.has(kNativeOffer)) {
    return Error(ErrorCode::kUnavailable, "this target takes clients of the native mode alone");
  }
  if (!IsRequestToServers(header.type)) {
    return Error(ErrorCode::kUnsupported, "a message that only servers send");
  }
  return std::nullopt;
}

std::uint64_t TargetServer::Impl::CapOf(MessageType type) const {
  const ServerLimits& limits = options_.limits;
  switch (type) {
    case MessageType::kModel:
    case MessageType::kUnoptimizedModel:
      return limits.max_model_bytes;
    case MessageType::kIoSpec:
      return limits.max_io_spec_bytes;
    case MessageType::kOptimizers:
      return limits.max_json_bytes;
    case MessageType::kData:
      return samples_.has_model() && samples_.is_static() && samples_.bound()
                 ? samples_.input_bytes()
                 : limits.max_input_bytes;
    default:
      return 0;
  }
}

Result<> TargetServer::Impl::RefusePart(const Header& header, const Error& error) {
  joiner_.Refuse(header);
  if (header.type == MessageType::kData) input_there_ = output_there_ = false;
  const Result<> counted = CountProtocolError();
  KENNING_RETURN_IF_ERROR(Refuse(header, error));
  KENNING_RETURN_IF_ERROR(SkipBody(header.body_size()));
  return counted;
}

bool TargetServer::Impl::ChecksumFits(const Header& header, ConstBytes body) const {
  return !options_.settings.error_recovery ||
         ChecksumOf(reader_.last_header_bytes(), body) == header.checksum;
}

Result<> TargetServer::Impl::ServePart(const Header& header) {
  KENNING_ASSIGN_OR_RETURN(const bool served, TryDataInPlace(header));
  if (served) return {};
  if (const Result<> may = joiner_.Check(header); !may) return RefusePart(header, may.error());
  KENNING_ASSIGN_OR_RETURN(const ConstBytes body,
                           joiner_.ReadBody(header, reader_, MessageDeadline(header.body_size())));
  if (!ChecksumFits(header, body)) {
    joiner_.Refuse(header);
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    return Refuse(header, Error(ErrorCode::kInvalidData,
                                "the checksum is wrong (is error_recovery set on both sides?)"));
  }
  if (!header.has(kLast)) return {};
  MarkBusy(header, 0, 0);
  const JoinedMessage message = joiner_.Finish(header);
  doing_ = ActionOf(message.header.type);
  Result<> served_message = Dispatch(message);
  doing_ = ServerAction::kIdle;
  joiner_.Drop(message.header.type);
  return served_message;
}

Result<> TargetServer::Impl::Dispatch(const JoinedMessage& message) {
  switch (message.header.type) {
    case MessageType::kPing:
      return OnPing(message);
    case MessageType::kStatus:
      return AnswerAction(message.header, true, ServerAction::kIdle);
    case MessageType::kData:
      return OnData(message);
    case MessageType::kModel:
      return OnModel(message);
    case MessageType::kProcess:
      return OnProcess(message);
    case MessageType::kOutput:
      return OnOutput(message);
    case MessageType::kStats:
      return OnStats(message);
    case MessageType::kIoSpec:
      return OnIoSpec(message);
    case MessageType::kOptimizers:
      return OnOptimizers(message);
    case MessageType::kOptimizeModel:
      return OnOptimizeModel(message);
    case MessageType::kUnoptimizedModel:
      return OnUnoptimizedModel(message);
    default:
      return Refuse(message.header,
                    Error(ErrorCode::kUnsupported, "this target takes no loadable runtimes"));
  }
}

Result<> TargetServer::Impl::OnPing(const JoinedMessage& message) {
  if (!uart()) return AnswerAction(message.header, true, ServerAction::kClientConnected);
  if (message.header.has(kFail)) {
    closed_ = true;
    return Answer(message.header, /*success=*/false, {});  // as the request has it: closed
  }
  if (!open_) protocol_errors_ = 0;
  open_ = true;
  return AnswerAction(message.header, true, ServerAction::kClientConnected);
}

Result<> TargetServer::Impl::ReadIoSpec(const JoinedMessage& message) {
  spec_there_ = false;
  io_spec_.clear();
  const std::string_view text = TextOf(message.payload);
  if (text.empty()) return {};
  const bool structure = message.header.has(kSerialized) ||
                         (uart() && text.size() == kUartIoSpecBytes && text[0] != '{');
  if (structure) {
    KENNING_ASSIGN_OR_RETURN(const UartIoSpec io_spec, DecodeUartIoSpec(message.payload));
    io_spec_ = ModelSpecToJson(io_spec.spec);
  } else {
    KENNING_RETURN_IF_ERROR(ModelSpecFromJson(text, "IO specification"));
    io_spec_ = text;
  }
  spec_there_ = true;
  return {};
}

Result<> TargetServer::Impl::OnIoSpec(const JoinedMessage& message) {
  if (const Result<> read = ReadIoSpec(message); !read) return Refuse(message.header, read.error());
  if (spec_there_) logs_.Add(LogLevel::kInfo, "Input/Output specification loaded");
  return AnswerAction(message.header, true, ServerAction::kUploadingIoSpec);
}

Result<> TargetServer::Impl::OnModel(const JoinedMessage& message) {
  logs_.Add(LogLevel::kInfo, "Loading model");
  if (!message.payload.empty()) {
    auto sha256 = store_.Put(message.payload);
    if (!sha256) return Refuse(message.header, sha256.error());
    model_sha256_ = *std::move(sha256);
  }
  LoadRequest request;
  request.sha256 = model_sha256_;
  request.io_spec = io_spec_;
  if (const auto loaded = Load(request); !loaded) return Refuse(message.header, loaded.error());
  return AnswerAction(message.header, true, ServerAction::kUploadingModel);
}

// DATA of one part goes straight into the tensors once their shapes are known.
Result<bool> TargetServer::Impl::TryDataInPlace(const Header& header) {
  if (header.type != MessageType::kData || !header.has(kFirst) || !header.has(kLast) ||
      !samples_.bound() || header.body_size() == 0 ||
      header.body_size() != samples_.input_bytes()) {
    return false;
  }
  joiner_.Drop(MessageType::kData);
  input_there_ = output_there_ = false;
  KENNING_RETURN_IF_ERROR(samples_.Reserve(1));
  const Deadline deadline = MessageDeadline(header.body_size());
  std::uint8_t all = ChecksumOf(reader_.last_header_bytes(), {});
  for (const MutableTensorView& input : samples_.inputs(0)) {
    KENNING_RETURN_IF_ERROR(ReadBody({input.data, input.size_bytes}, deadline));
    if (options_.settings.error_recovery) {
      all = static_cast<std::uint8_t>(all ^ XorOf({input.data, input.size_bytes}));
    }
  }
  MarkBusy(header, 0, 0);
  if (options_.settings.error_recovery && all != header.checksum) {
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    KENNING_RETURN_IF_ERROR(
        Refuse(header, Error(ErrorCode::kInvalidData,
                             "the checksum is wrong (is error_recovery set on both sides?)")));
    return true;
  }
  input_there_ = true;
  KENNING_RETURN_IF_ERROR(AnswerAction(header, true, ServerAction::kUploadingInput));
  return true;
}

Result<> TargetServer::Impl::OnData(const JoinedMessage& message) {
  input_there_ = output_there_ = false;
  if (!samples_.has_model()) {
    return Refuse(message.header, Error(ErrorCode::kFailedPrecondition, "send a MODEL first"));
  }
  Result<> bound = BindFor(message.payload.size());
  if (bound) bound = samples_.Reserve(1);
  if (!bound) return Refuse(message.header, bound.error());
  ConstBytes rest = message.payload;
  for (const MutableTensorView& input : samples_.inputs(0)) {
    std::ranges::copy(rest.first(input.size_bytes), input.data);
    rest = rest.subspan(input.size_bytes);
  }
  input_there_ = true;
  return AnswerAction(message.header, true, ServerAction::kUploadingInput);
}

Result<> TargetServer::Impl::OnProcess(const JoinedMessage& message) {
  output_there_ = false;
  if (!input_there_) {
    return Refuse(message.header,
                  Error(ErrorCode::kFailedPrecondition,
                        samples_.has_model() ? "send DATA first" : "send a MODEL and DATA first"));
  }
  InferTimes times;
  if (const Result<> ran = backend_.Invoke(samples_.input_views(0), samples_.outputs(0), times);
      !ran) {
    return Refuse(message.header, ran.error());
  }
  output_there_ = true;
  return AnswerAction(message.header, true, ServerAction::kProcessingInput);
}

Result<> TargetServer::Impl::OnOutput(const JoinedMessage& message) {
  if (!output_there_) {
    return Refuse(message.header,
                  Error(ErrorCode::kFailedPrecondition, "there is no output: send PROCESS first"));
  }
  pieces_.clear();
  for (const MutableTensorView& output : samples_.outputs(0)) {
    pieces_.emplace_back(output.data, output.size_bytes);
  }
  return Answer(message.header, true, pieces_);
}

Result<> TargetServer::Impl::OnStats(const JoinedMessage& message) {
  const auto json = backend_.Statistics(/*native=*/false);
  if (!json) return Refuse(message.header, json.error());
  if (uart()) {
    const std::vector<std::byte> structure = EncodeUartStats(UartStatsFromJson(*json));
    const ConstBytes payload[] = {structure};
    return Answer(message.header, true, payload);
  }
  const ConstBytes payload[] = {std::as_bytes(std::span(*json))};
  return Answer(message.header, true, payload);
}

Result<> TargetServer::Impl::OnOptimizers(const JoinedMessage& message) {
  optimizers_.clear();
  const std::string_view text = TextOf(message.payload);
  const Json json =
      NestsAtMost(text) ? Json::parse(text, nullptr, /*allow_exceptions=*/false) : Json();
  if (!json.is_object() || !json.contains("optimizers") || !json["optimizers"].is_array() ||
      (json.contains("prev_block") && !json["prev_block"].is_object())) {
    return Refuse(message.header,
                  Error(ErrorCode::kInvalidData,
                        "a JSON object with the list \"optimizers\" and the object \"prev_block\" "
                        "is wanted"));
  }
  std::string names;
  for (const Json& one : json["optimizers"]) {
    if (!one.is_object() || !one.contains("type") || !one["type"].is_string()) {
      return Refuse(message.header,
                    Error(ErrorCode::kInvalidData, "an optimizer without \"type\""));
    }
    const auto type = one["type"].get<std::string>();  // a name, or a Python path with it
    names += (names.empty() ? "" : ", ") + type.substr(type.rfind('.') + 1);
  }
  optimizers_ = text;
  logs_.Add(LogLevel::kInfo, "Loaded optimizers: " + names);
  return AnswerAction(message.header, true, ServerAction::kUploadingOptimizers);
}

Result<> TargetServer::Impl::OnUnoptimizedModel(const JoinedMessage& message) {
  unoptimized_sha256_.clear();
  if (message.payload.empty()) {
    return Refuse(message.header, Error(ErrorCode::kInvalidModel, "a model of no bytes"));
  }
  auto sha256 = store_.Put(message.payload);
  if (!sha256) return Refuse(message.header, sha256.error());
  unoptimized_sha256_ = *std::move(sha256);
  return AnswerAction(message.header, true, ServerAction::kUploadingUnoptimizedModel);
}

Result<> TargetServer::Impl::OnOptimizeModel(const JoinedMessage& message) {
  const auto model = OptimizedModel();
  if (!model) return Refuse(message.header, model.error());
  const ConstBytes payload[] = {*model};
  return Answer(message.header, true, payload);
}

Result<std::vector<std::byte>> TargetServer::Impl::OptimizedModel() {
  if (optimizers_.empty() || unoptimized_sha256_.empty()) {
    return Fail(ErrorCode::kFailedPrecondition, "send OPTIMIZERS and UNOPTIMIZED_MODEL first");
  }
  const Json sent = Json::parse(optimizers_);
  Json request;
  Json& model = request["model"] = {{"sha256", unoptimized_sha256_}};
  if (const auto block = sent.find("prev_block"); block != sent.end()) {
    if (block->contains("model_type") && (*block)["model_type"].is_string()) {
      model["format"] = (*block)["model_type"];
    }
    if (block->contains("io_spec") && !(*block)["io_spec"].is_null()) {
      model["io_spec"] = (*block)["io_spec"];
    }
  }
  request["optimizers"] = sent["optimizers"];
  KENNING_ASSIGN_OR_RETURN(const std::string answer, backend_.Optimize(Dump(request)));
  const Json result = Json::parse(answer, nullptr, /*allow_exceptions=*/false);
  if (!result.is_object() || !result.contains("sha256") || !result["sha256"].is_string()) {
    return Fail(ErrorCode::kInternal, "the optimizers named no resulting model");
  }
  const auto sha256 = result["sha256"].get<std::string>();
  std::vector<std::byte> bytes;
  for (;;) {
    KENNING_ASSIGN_OR_RETURN(const std::vector<std::byte> part,
                             store_.Get(sha256, bytes.size(), options_.limits.max_part_bytes));
    if (part.empty()) return bytes;
    if (bytes.size() + part.size() > options_.limits.max_model_bytes) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("the resulting model has more than {} bytes",
                              options_.limits.max_model_bytes));
    }
    bytes.insert(bytes.end(), part.begin(), part.end());
  }
}

}  // namespace kenning::wire
