// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "io_spec/io_spec_json.h"
#include "kenning/base/json_depth.h"
#include "wire/auth.h"
#include "wire/hex.h"
#include "wire/little_endian.h"
#include "wire/target_server_impl.h"

namespace kenning::wire {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t kMaxHelloBytes = std::uint64_t{16} << 10;
constexpr std::size_t kPartHeadBytes = 32 + 8;
constexpr std::size_t kFetchBytes = 32 + 8 + 4;
constexpr std::int64_t kNsAMs = 1'000'000;

std::string_view TextOf(ConstBytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Json> ParseObject(ConstBytes body) {
  const std::string_view text = TextOf(body);
  Json json = NestsAtMost(text) ? Json::parse(text, nullptr, /*allow_exceptions=*/false) : Json();
  if (!json.is_object()) return Fail(ErrorCode::kInvalidArgument, "a JSON object is wanted");
  return json;
}

// A member that is text; empty where it is absent or null.
Result<std::string> Text(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::string();
  if (!found->is_string()) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("\"{}\" is no text", key));
  }
  return found->get<std::string>();
}

// The same, or an object, as its text.
Result<std::string> TextOrObject(const Json& json, const char* key) {
  const auto found = json.find(key);
  if (found != json.end() && found->is_object()) return Dump(*found);
  return Text(json, key);
}

Result<std::string> Sha256Of(const Json& json) {
  KENNING_ASSIGN_OR_RETURN(std::string text, Text(json, "sha256"));
  if (!DigestFromHex(text)) {
    return Fail(ErrorCode::kInvalidArgument, "\"sha256\" is not 64 lower-case hexadecimal digits");
  }
  return text;
}

Result<Shape> ShapeFrom(const Json& json) {
  constexpr std::size_t kMaxRank = 16;
  if (!json.is_array() || json.size() > kMaxRank) {
    return Fail(ErrorCode::kInvalidArgument, "a shape is a list of at most 16 numbers");
  }
  Shape shape;
  for (const Json& dim : json) {
    if (!dim.is_number_unsigned() || dim.get<std::uint64_t>() > INT32_MAX) {
      return Fail(ErrorCode::kInvalidArgument, "a dimension is a whole number of at most 2^31-1");
    }
    shape.push_back(dim.get<std::int64_t>());
  }
  return shape;
}

Json SpecJson(const ModelSpec& spec) {
  return Json::parse(ModelSpecToJson(spec), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

std::uint64_t TargetServer::Impl::NativeCapOf(NativeType type) const {
  const ServerLimits& limits = options_.limits;
  switch (type) {
    case NativeType::kHello:
    case NativeType::kModelHave:
      return kMaxHelloBytes;
    case NativeType::kAuth:
      return sizeof(Digest);
    case NativeType::kEcho:
      return limits.max_part_bytes;
    case NativeType::kModelPart:
      return std::uint64_t{kPartHeadBytes} + limits.max_part_bytes;
    case NativeType::kModelLoad:
      return std::uint64_t{limits.max_io_spec_bytes} + kMaxHelloBytes;
    case NativeType::kInferShapes:
    case NativeType::kOptimize:
      return limits.max_json_bytes;
    case NativeType::kInfer:
      return limits.max_input_bytes;
    case NativeType::kModelFetch:
      return kFetchBytes;
    case NativeType::kClock:
    case NativeType::kStatistics:
    case NativeType::kProfile:
      break;
  }
  return 0;
}

// Reads nothing of the body before it knows that it wants it.
Result<> TargetServer::Impl::ServeNative(const Header& header) {
  NativeRequest request{.header = header, .came_ns = MonotonicNowNs()};
  constexpr std::uint16_t kWhole = kHasPayload | kFirst | kLast;
  const std::uint64_t size = header.body_size();
  if ((header.flags & kWhole) != kWhole || size < kNativePrefixBytes) {
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    KENNING_RETURN_IF_ERROR(FailNative(request, StatusCode::kInvalidData,
                                       "a native message is one part and has a prefix"));
    return SkipBody(size);
  }
  NativePrefixBytes prefix;
  KENNING_RETURN_IF_ERROR(reader_.Read(prefix, MessageDeadline(0)));
  request.prefix = DecodePrefix(prefix);
  if (request.prefix.deadline_or_status != 0) {
    request.deadline_ns = request.came_ns + kNsAMs * request.prefix.deadline_or_status;
  }
  if (header.flow == FlowControl::kTransmission || header.flow == FlowControl::kAcknowledge) {
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    return SkipBody(request.body_size());
  }
  const NativeType type = request.type();
  if (header.flow != FlowControl::kRequest) {
    return RefuseNative(request, StatusCode::kUnsupported,
                        fmt::format("this target does not know {}", ToString(header)));
  }
  if (!open_) return RefuseNative(request, StatusCode::kFailedPrecondition, "send PING first");
  if (!authenticated_ && type != NativeType::kHello && type != NativeType::kAuth) {
    return RefuseNative(request, StatusCode::kUnauthenticated,
                        "this target wants authentication: give the token");
  }
  if (request.body_size() > NativeCapOf(type)) {
    return RefuseNative(request, StatusCode::kResourceExhausted,
                        fmt::format("a body of {} bytes; at most {} are taken", request.body_size(),
                                    NativeCapOf(type)));
  }
  if (type == NativeType::kInfer) return ServeInfer(request);
  body_.resize(static_cast<std::size_t>(request.body_size()));
  KENNING_RETURN_IF_ERROR(ReadBody(body_, MessageDeadline(body_.size())));
  const ConstBytes pieces[] = {body_};
  if (NativeCrc(header, request.prefix, pieces) != request.prefix.crc32c) {
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    return FailNative(request, StatusCode::kInvalidData, "the CRC32C of the request is wrong");
  }
  MarkBusy(header, request.prefix.request_id, request.deadline_ns);
  return DispatchNative(request, body_);
}

Result<> TargetServer::Impl::RefuseNative(const NativeRequest& request, StatusCode status,
                                          std::string_view text) {
  const Result<> counted =
      status == StatusCode::kFailedPrecondition ? Result<>() : CountProtocolError();
  KENNING_RETURN_IF_ERROR(FailNative(request, status, text));
  KENNING_RETURN_IF_ERROR(SkipBody(request.body_size()));
  return counted;
}

Result<> TargetServer::Impl::AnswerNative(const NativeRequest& request,
                                          std::span<const ConstBytes> body) {
  AddLogs();
  const NativeHead head = MakeNativeHead(
      request.type(), FlowControl::kTransmission, kSuccess | kIsKenning,
      {.request_id = request.prefix.request_id,
       .sample_count = request.type() == NativeType::kInfer ? request.prefix.sample_count : 0,
       .sender_clock_ns = MonotonicNowNs()},
      body);
  outgoing_.AddRaw(head.bytes);
  for (const ConstBytes piece : body) {
    if (!piece.empty()) outgoing_.AddRaw(piece);
  }
  return Flush();
}

Result<> TargetServer::Impl::AnswerNative(const NativeRequest& request, std::string_view body) {
  const ConstBytes pieces[] = {std::as_bytes(std::span(body.data(), body.size()))};
  return AnswerNative(request, pieces);
}

Result<> TargetServer::Impl::AnswerNumber(const NativeRequest& request, std::uint64_t number) {
  std::array<std::byte, 8> bytes;
  StoreLe(bytes.data(), number);
  const ConstBytes pieces[] = {bytes};
  return AnswerNative(request, pieces);
}

Result<> TargetServer::Impl::FailNative(const NativeRequest& request, StatusCode status,
                                        std::string_view text) {
  AddLogs();
  const ConstBytes body[] = {std::as_bytes(std::span(text.data(), text.size()))};
  const NativeHead head =
      MakeNativeHead(request.type(), FlowControl::kTransmission, kFail | kIsKenning,
                     {.request_id = request.prefix.request_id,
                      .deadline_or_status = static_cast<std::uint32_t>(status),
                      .sender_clock_ns = MonotonicNowNs()},
                     body);
  outgoing_.AddRaw(head.bytes);
  outgoing_.AddRaw(body[0]);
  return Flush();
}

Result<> TargetServer::Impl::FailNative(const NativeRequest& request, const Error& error) {
  return FailNative(request, StatusOf(error.code()), error.ToString());
}

Result<> TargetServer::Impl::DispatchNative(const NativeRequest& request, ConstBytes body) {
  if (request.deadline_ns != 0 && MonotonicNowNs() > request.deadline_ns) {
    return FailNative(request, StatusCode::kDeadlineExceeded,
                      "the time of the request was over before it was whole");
  }
  switch (request.type()) {
    case NativeType::kHello:
      return OnHello(request, body);
    case NativeType::kAuth:
      return OnAuth(request, body);
    case NativeType::kClock:
      return OnClock(request);
    case NativeType::kEcho:
      return AnswerNative(request, TextOf(body));
    case NativeType::kModelHave:
      return OnModelHave(request, body);
    case NativeType::kModelPart:
      return OnModelPart(request, body);
    case NativeType::kModelLoad:
      return OnModelLoad(request, body);
    case NativeType::kInferShapes:
      return OnInferShapes(request, body);
    case NativeType::kStatistics: {
      const auto json = backend_.Statistics(/*native=*/true);
      return json ? AnswerNative(request, *json) : FailNative(request, json.error());
    }
    case NativeType::kProfile:
      return OnProfile(request);
    case NativeType::kOptimize:
      return OnOptimize(request, body);
    case NativeType::kModelFetch:
      return OnModelFetch(request, body);
    case NativeType::kInfer:
      break;
  }
  return FailNative(request, StatusCode::kInternal, "a request without a handler");
}

Result<> TargetServer::Impl::OnHello(const NativeRequest& request, ConstBytes body) {
  const auto hello = ParseObject(body);
  if (!hello) return FailNative(request, hello.error());
  const auto versions = hello->find("versions");
  if (versions == hello->end() || !versions->is_array() ||
      std::ranges::find(*versions, Json(kNativeVersion)) == versions->end()) {
    return FailNative(
        request, StatusCode::kUnsupported,
        fmt::format("this target speaks version {} of the native mode", kNativeVersion));
  }
  const auto nonce = Text(*hello, "nonce");
  if (!nonce) return FailNative(request, nonce.error());
  const bool token = !options_.settings.token.empty();
  if (token && !IsNonce(*nonce)) {
    return FailNative(request, StatusCode::kInvalidArgument,
                      "\"nonce\" is not 64 lower-case hexadecimal digits");
  }
  client_nonce_ = *nonce;
  server_nonce_ = NewNonce();
  const ServerLimits& limits = options_.limits;
  Json answer = Json::object();
  if (authenticated_) {
    answer = Json::parse(backend_.Describe(), nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object()) answer = Json::object();
  }
  answer["versions"] = {kNativeVersion};
  answer["authentication"] = token ? "token" : "none";
  answer["authenticated"] = authenticated_;
  answer["nonce"] = server_nonce_;
  answer["max_payload_bytes"] =
      kNativePrefixBytes + std::max<std::uint64_t>(limits.max_input_bytes, limits.max_part_bytes);
  answer["limits"] = {{"max_model_bytes", limits.max_model_bytes},
                      {"max_input_bytes", limits.max_input_bytes},
                      {"max_part_bytes", limits.max_part_bytes},
                      {"max_json_bytes", limits.max_json_bytes},
                      {"max_io_spec_bytes", limits.max_io_spec_bytes}};
  return AnswerNative(request, Dump(answer));
}

Result<> TargetServer::Impl::OnAuth(const NativeRequest& request, ConstBytes body) {
  const std::string& token = options_.settings.token;
  if (token.empty()) {
    return FailNative(request, StatusCode::kFailedPrecondition,
                      "this target was started without a token");
  }
  if (server_nonce_.empty()) {
    return FailNative(request, StatusCode::kFailedPrecondition, "send HELLO first");
  }
  const bool right = EqualInConstantTime(body, ClientProof(token, client_nonce_, server_nonce_));
  const Digest proof = ServerProof(token, client_nonce_, server_nonce_);
  server_nonce_.clear();
  if (!right) {
    KENNING_RETURN_IF_ERROR(
        FailNative(request, StatusCode::kUnauthenticated, "the token is another one"));
    return Fail(ErrorCode::kUnavailable, fmt::format("{} has another token", channel_.peer()));
  }
  authenticated_ = true;
  const ConstBytes pieces[] = {proof};
  return AnswerNative(request, pieces);
}

Result<> TargetServer::Impl::OnClock(const NativeRequest& request) {
  std::array<std::byte, 16> bytes;
  StoreLe(bytes.data(), request.came_ns);
  StoreLe(bytes.data() + 8, MonotonicNowNs());
  const ConstBytes pieces[] = {bytes};
  return AnswerNative(request, pieces);
}

Result<> TargetServer::Impl::OnModelHave(const NativeRequest& request, ConstBytes body) {
  const auto json = ParseObject(body);
  if (!json) return FailNative(request, json.error());
  const auto sha256 = Sha256Of(*json);
  if (!sha256) return FailNative(request, sha256.error());
  const auto size = json->find("size");
  if (size == json->end() || !size->is_number_unsigned()) {
    return FailNative(request, StatusCode::kInvalidArgument, "\"size\" is no number");
  }
  const auto bytes = size->get<std::uint64_t>();
  if (bytes > options_.limits.max_model_bytes) {
    return FailNative(request, StatusCode::kResourceExhausted,
                      fmt::format("a model of {} bytes; at most {} are taken", bytes,
                                  options_.limits.max_model_bytes));
  }
  const auto have = store_.Have(*sha256, bytes);
  if (!have) return FailNative(request, have.error());
  upload_sha256_ = *sha256;
  upload_size_ = bytes;
  return AnswerNumber(request, *have);
}

Result<> TargetServer::Impl::OnModelPart(const NativeRequest& request, ConstBytes body) {
  if (body.size() < kPartHeadBytes) {
    return FailNative(request, StatusCode::kInvalidArgument, "a part without SHA-256 and offset");
  }
  const std::string sha256 = ToHex(body.first(sizeof(Digest)));
  if (upload_sha256_.empty() || sha256 != upload_sha256_) {
    return FailNative(request, StatusCode::kFailedPrecondition, "ask MODEL_HAVE of it first");
  }
  const auto offset = LoadLe<std::uint64_t>(body.data() + sizeof(Digest));
  const ConstBytes bytes = body.subspan(kPartHeadBytes);
  if (offset > upload_size_ || bytes.size() > upload_size_ - offset) {
    return FailNative(
        request, StatusCode::kInvalidArgument,
        fmt::format("{} bytes from {} of a model of {}", bytes.size(), offset, upload_size_));
  }
  const auto have = store_.Append(sha256, upload_size_, offset, bytes);
  return have ? AnswerNumber(request, *have) : FailNative(request, have.error());
}

Result<> TargetServer::Impl::OnModelFetch(const NativeRequest& request, ConstBytes body) {
  if (body.size() != kFetchBytes) {
    return FailNative(request, StatusCode::kInvalidArgument,
                      "SHA-256, offset and number of bytes are wanted");
  }
  const auto offset = LoadLe<std::uint64_t>(body.data() + sizeof(Digest));
  const auto most = LoadLe<std::uint32_t>(body.data() + sizeof(Digest) + 8);
  const auto bytes = store_.Get(ToHex(body.first(sizeof(Digest))), offset,
                                std::min(most, options_.limits.max_part_bytes));
  if (!bytes) return FailNative(request, bytes.error());
  const ConstBytes pieces[] = {*bytes};
  return AnswerNative(request, pieces);
}

Result<> TargetServer::Impl::OnModelLoad(const NativeRequest& request, ConstBytes body) {
  const auto load = [&]() -> Result<LoadedModel> {
    KENNING_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
    LoadRequest wanted;
    KENNING_ASSIGN_OR_RETURN(wanted.sha256, Sha256Of(json));
    KENNING_ASSIGN_OR_RETURN(wanted.format, Text(json, "format"));
    KENNING_ASSIGN_OR_RETURN(wanted.io_spec, TextOrObject(json, "io_spec"));
    if (!wanted.io_spec.empty()) {
      KENNING_RETURN_IF_ERROR(ModelSpecFromJson(wanted.io_spec, "IO specification"));
    }
    if (const auto runtime = json.find("runtime"); runtime != json.end() && !runtime->is_null()) {
      if (!runtime->is_object()) {
        return Fail(ErrorCode::kInvalidArgument, "\"runtime\" is no object");
      }
      KENNING_ASSIGN_OR_RETURN(wanted.runtime_type, Text(*runtime, "type"));
      KENNING_ASSIGN_OR_RETURN(wanted.runtime_parameters_json,
                               TextOrObject(*runtime, "parameters"));
    }
    const auto profiling = json.find("profiling");
    wanted.profiling = profiling != json.end() && *profiling == true;
    return Load(wanted);
  };
  const auto loaded = load();
  if (!loaded) return FailNative(request, loaded.error());
  const Json answer = {{"io_spec", SpecJson(loaded->spec)},
                       {"engine", loaded->engine.name},
                       {"engine_version", loaded->engine.version},
                       {"runtime", loaded->runtime},
                       {"load_ns", loaded->load_ns}};
  return AnswerNative(request, Dump(answer));
}

Result<> TargetServer::Impl::OnInferShapes(const NativeRequest& request, ConstBytes body) {
  const auto resolve = [&]() -> Result<std::vector<TensorSpec>> {
    KENNING_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
    if (!samples_.has_model()) {
      return Fail(ErrorCode::kFailedPrecondition, "load a model first");
    }
    const auto found = json.find("shapes");
    if (found == json.end() || !found->is_array() ||
        found->size() != samples_.spec_shapes().size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("\"shapes\" is no list of {} shapes", samples_.spec_shapes().size()));
    }
    std::vector<Shape> shapes;
    for (const Json& one : *found) {
      KENNING_ASSIGN_OR_RETURN(Shape shape, ShapeFrom(one));
      shapes.push_back(std::move(shape));
    }
    KENNING_ASSIGN_OR_RETURN(std::vector<TensorSpec> outputs, backend_.Resolve(shapes));
    input_there_ = output_there_ = shapes_given_ = false;
    KENNING_RETURN_IF_ERROR(samples_.Bind(std::move(shapes), outputs));
    shapes_given_ = true;
    return outputs;
  };
  const auto outputs = resolve();
  if (!outputs) return FailNative(request, outputs.error());
  Json list = Json::array();
  for (const TensorSpec& output : *outputs) {
    list.push_back(
        {{"name", output.name}, {"dtype", DTypeName(output.dtype)}, {"shape", output.shape}});
  }
  return AnswerNative(request, Dump({{"outputs", list}}));
}

Result<> TargetServer::Impl::OnProfile(const NativeRequest& request) {
  const auto operators = backend_.Profile();
  if (!operators) return FailNative(request, operators.error());
  Json list = Json::array();
  for (const OperatorProfile& one : *operators) {
    list.push_back({{"name", one.name},
                    {"op_type", one.op_type},
                    {"total_ns", one.total_ns},
                    {"calls", one.calls},
                    {"dtype", one.dtype},
                    {"kernel", one.kernel}});
  }
  return AnswerNative(request, Dump({{"operators", list}}));
}

Result<> TargetServer::Impl::OnOptimize(const NativeRequest& request, ConstBytes body) {
  const auto optimize = [&]() -> Result<std::string> {
    KENNING_ASSIGN_OR_RETURN(const Json json, ParseObject(body));
    const auto model = json.find("model");
    if (model == json.end() || !model->is_object()) {
      return Fail(ErrorCode::kInvalidArgument, "the object \"model\" is wanted");
    }
    KENNING_RETURN_IF_ERROR(Sha256Of(*model));
    const auto optimizers = json.find("optimizers");
    if (optimizers == json.end() || !optimizers->is_array()) {
      return Fail(ErrorCode::kInvalidArgument, "the list \"optimizers\" is wanted");
    }
    return backend_.Optimize(std::string(TextOf(body)));
  };
  const auto answer = optimize();
  return answer ? AnswerNative(request, *answer) : FailNative(request, answer.error());
}

}  // namespace kenning::wire
