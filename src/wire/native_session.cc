// SPDX-License-Identifier: Apache-2.0
// The requests around inference: who the target is, models there and back, readings.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "io_spec/io_spec_json.h"
#include "kenning/base/digest.h"
#include "kenning/base/json_depth.h"
#include "kenning/base/secret.h"
#include "kenning/base/strings.h"
#include "wire/auth.h"
#include "wire/clean_text.h"
#include "wire/hex.h"
#include "wire/little_endian.h"
#include "wire/native_client.h"

namespace kenning::wire {
namespace {

using Json = nlohmann::json;

constexpr std::uint32_t kMostPart = 4U << 20;
constexpr std::uint32_t kFirstPart = 256U << 10;
constexpr std::uint32_t kLeastPart = 8U << 10;
constexpr std::uint64_t kMaxModelBytes = std::uint64_t{2} << 30;
constexpr std::size_t kMaxTensors = 4096;
constexpr std::size_t kMaxRank = 64;
constexpr std::size_t kMaxOperators = 1'000'000;
constexpr std::size_t kMaxSteps = 1000;
constexpr std::string_view kTargetSpec = "the target's IO specification";
/// A part that takes less is followed by a larger one; one that takes more by a smaller.
constexpr double kQuickPartS = 0.5;
constexpr double kSlowPartS = 4;

Json Parsed(std::string_view text) {
  return NestsAtMost(text) ? Json::parse(text, nullptr, false) : Json(Json::value_t::discarded);
}

/// JSON text as a value within another; as text where it is none.
Json Embedded(const std::string& text) {
  Json value = Parsed(text);
  return value.is_discarded() ? Json(CleanText(text, text.size())) : value;
}

/// Members, of any type, are as the target sent them: nothing is taken for granted.
std::string TextOf(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end() || !it->is_string()) return {};
  return CleanText(it->get_ref<const std::string&>());
}
std::optional<std::uint64_t> CountOf(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end() || !it->is_number_unsigned()) return std::nullopt;
  return it->get<std::uint64_t>();
}
double NumberOf(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it == object.end() || !it->is_number() ? 0 : it->get<double>();
}
Json MemberOf(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it == object.end() ? Json() : *it;
}

/// An IO specification as an object or as its text.
std::string SpecText(const Json& object) {
  const Json member = MemberOf(object, "io_spec");
  if (member.is_string()) return member.get<std::string>();
  return member.is_object() ? member.dump(-1, ' ', false, Json::error_handler_t::replace) : "";
}

bool WantsToken(const Json& hello) {
  const Json member = MemberOf(hello, "authentication");
  if (member.is_boolean()) return member.get<bool>();
  return member.is_string() && member != "none" && member != "";
}

std::optional<TensorSpec> TensorFrom(const Json& value) {
  TensorSpec spec;
  spec.name = TextOf(value, "name");
  const auto dtype = ParseDType(TextOf(value, "dtype"));
  const Json shape = MemberOf(value, "shape");
  if (!dtype || !shape.is_array() || shape.size() > kMaxRank) return std::nullopt;
  spec.dtype = *dtype;
  for (const Json& dim : shape) {
    if (!dim.is_number_unsigned() || dim.get<std::uint64_t>() > INT32_MAX) return std::nullopt;
    spec.shape.push_back(dim.get<std::int64_t>());
  }
  return spec;
}

OperatorProfile OperatorFrom(const Json& value) {
  OperatorProfile one;
  one.name = TextOf(value, "name");
  one.op_type = TextOf(value, "op_type");
  one.total_ns = static_cast<std::int64_t>(
      std::min<std::uint64_t>(CountOf(value, "total_ns").value_or(0), INT64_MAX));
  one.calls = CountOf(value, "calls").value_or(0);
  one.dtype = TextOf(value, "dtype");
  one.kernel = TextOf(value, "kernel");
  return one;
}

ProvenanceStep StepFrom(const Json& value) {
  ProvenanceStep step;
  step.block = TextOf(value, "block");
  step.framework = TextOf(value, "framework");
  step.version = TextOf(value, "version");
  step.duration_s = NumberOf(value, "duration_s");
  step.finished_at = TextOf(value, "finished_at");
  const Json parameters = MemberOf(value, "parameters");
  if (parameters.is_object()) {
    for (const auto& [key, text] : parameters.items()) {
      if (text.is_string()) step.parameters[CleanText(key)] = CleanText(text.get<std::string>());
    }
  }
  const Json notes = MemberOf(value, "notes");
  for (std::size_t i = 0; notes.is_array() && i < std::min(notes.size(), kMaxSteps); ++i) {
    if (notes[i].is_string()) step.notes.push_back(CleanText(notes[i].get<std::string>()));
  }
  return step;
}

}  // namespace

Result<TargetInfo> NativeClient::Hello() {
  const std::string nonce = NewNonce();
  KENNING_ASSIGN_OR_RETURN(TargetInfo info, AskWhoItIs(nonce));
  const Json hello = Parsed(info.json);
  const bool has_token = !link_.settings().token.empty();
  if (WantsToken(hello) && !has_token) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} wants a token: give the protocol the one that the agent was "
                            "started with",
                            link_.channel().peer()));
  }
  if (!has_token) return info;
  if (!WantsToken(hello)) {
    return link_.End({ErrorCode::kUnavailable,
                      fmt::format("{} asks for no token, so it cannot show that it is the right "
                                  "target: start the agent with the token, or leave it out here",
                                  link_.channel().peer())});
  }
  KENNING_RETURN_IF_ERROR(Authenticate(nonce, TextOf(hello, "nonce")));
  // What it is, a target tells only those whom it knows.
  return AskWhoItIs(NewNonce());
}

Result<TargetInfo> NativeClient::AskWhoItIs(const std::string& nonce) {
  const Json request = {{"versions", {kNativeVersion}}, {"client", "kenning"}, {"nonce", nonce}};
  TargetInfo info;
  KENNING_ASSIGN_OR_RETURN(info.json,
                           CallJson(NativeType::kHello, request.dump(), link_.times().answer_s));
  const Json hello = Parsed(info.json);
  if (!hello.is_object()) return Nonsense(NativeType::kHello, "it is no JSON object");
  const Json versions = MemberOf(hello, "versions");
  if (!versions.is_array() || std::ranges::find(versions, Json(kNativeVersion)) == versions.end()) {
    return link_.End({ErrorCode::kUnsupported,
                      fmt::format("{} speaks none of the native mode's versions that this program "
                                  "knows ({})",
                                  link_.channel().peer(), kNativeVersion)});
  }
  info.agent_version = TextOf(hello, "agent_version");
  const auto most = CountOf(hello, "max_payload_bytes").value_or(kMostPart);
  info.max_payload_bytes = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(most, kLeastPart + kNativePrefixBytes, UINT32_MAX));
  most_payload_ = info.max_payload_bytes;
  const auto part = CountOf(MemberOf(hello, "limits"), "max_part_bytes").value_or(kMostPart);
  most_part_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
      part, kLeastPart, std::min<std::uint64_t>(most_payload_, kMostPart)));
  return info;
}

Result<> NativeClient::Authenticate(const std::string& nonce, const std::string& target_nonce) {
  if (!IsNonce(target_nonce)) return Nonsense(NativeType::kHello, "it has no nonce");
  const std::string& token = link_.settings().token;
  const Digest proof = ClientProof(token, nonce, target_nonce);
  const ConstBytes piece(proof);
  Digest answer{};
  const std::array<MutableBytes, 1> places{answer};
  PayloadSink sink(places);
  KENNING_RETURN_IF_ERROR(Call(NativeType::kAuth, {&piece, 1}, sink, link_.times().answer_s),
                          "the target does not take the token");
  const Digest expected = ServerProof(token, nonce, target_nonce);
  if (sink.room() == 0 && EqualInConstantTime(answer, expected)) return {};
  return link_.End({ErrorCode::kUnavailable,
                    fmt::format("{} does not know the token: it is not the target that it should "
                                "be",
                                link_.channel().peer())});
}

Result<std::string> NativeClient::Upload(ModelSource& model) {
  KENNING_ASSIGN_OR_RETURN(const std::string sha256, model.Sha256Digits(link_.options().cancel));
  const Json request = {{"sha256", sha256}, {"size", model.size_bytes()}};
  const std::string text = request.dump();
  const ConstBytes piece = std::as_bytes(std::span(text));
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t there,
                           CallNumber(NativeType::kModelHave, {&piece, 1}));
  if (there > model.size_bytes()) {
    return Nonsense(NativeType::kModelHave, "more bytes than the model has");
  }
  if (there < model.size_bytes()) {
    ProgressSink* progress = link_.options().progress;
    if (progress != nullptr) progress->Begin("Sending the model", model.size_bytes(), "bytes");
    const Result<> sent = SendParts(model, sha256, there);
    if (progress != nullptr) progress->End();
    KENNING_RETURN_IF_ERROR(sent);
  }
  return sha256;
}

Result<> NativeClient::SendParts(ModelSource& model, const std::string& sha256,
                                 std::uint64_t there) {
  const auto digest = DigestFromHex(sha256);
  if (!digest) return Fail(ErrorCode::kInternal, "a SHA-256 that is none");
  const bool slow = link_.settings().dialect == WireDialect::kUart;
  std::uint64_t size = slow ? kLeastPart : std::min(kFirstPart, most_part_);
  const std::uint64_t most = slow ? kLeastPart : most_part_;
  std::vector<std::byte> buffer;
  while (there < model.size_bytes()) {
    KENNING_RETURN_IF_ERROR(link_.Usable());
    // What comes before the bytes counts, too.
    buffer.resize(std::min(size - digest->size() - 8, model.size_bytes() - there));
    KENNING_RETURN_IF_ERROR(model.Read(there, buffer));
    std::array<std::byte, 8> offset{};
    StoreLe(offset.data(), there);
    const std::array<ConstBytes, 3> body{ConstBytes(*digest), ConstBytes(offset),
                                         ConstBytes(buffer)};
    const std::int64_t start = MonotonicNowNs();
    KENNING_ASSIGN_OR_RETURN(const std::uint64_t now, CallNumber(NativeType::kModelPart, body));
    const double took_s = static_cast<double>(MonotonicNowNs() - start) * 1e-9;
    if (now <= there || now > model.size_bytes()) {
      return Nonsense(NativeType::kModelPart,
                      fmt::format("{} bytes are there, {} were", now, there));
    }
    there = now;
    if (link_.options().progress != nullptr) link_.options().progress->Update(there);
    if (took_s < kQuickPartS) size = std::min(2 * size, most);
    if (took_s > kSlowPartS) size = std::max<std::uint64_t>(size / 2, kLeastPart);
  }
  return {};
}

Result<NativeClient::Loaded> NativeClient::Load(const std::string& sha256,
                                                const std::string& format,
                                                const std::string& io_spec_json,
                                                const LoadOptions& options) {
  Json request = {{"sha256", sha256}, {"format", format}};
  if (!io_spec_json.empty()) request["io_spec"] = Embedded(io_spec_json);
  if (options.profiling) request["profiling"] = true;
  if (!options.runtime_type.empty()) {
    Json parameters = Parsed(options.runtime_parameters_json);
    if (!parameters.is_object()) parameters = Json::object();
    request["runtime"] = {{"type", options.runtime_type}, {"parameters", std::move(parameters)}};
  }
  KENNING_ASSIGN_OR_RETURN(const std::string text,
                           CallJson(NativeType::kModelLoad, request.dump(), link_.times().load_s));
  const Json answer = Parsed(text);
  if (!answer.is_object()) return Nonsense(NativeType::kModelLoad, "it is no JSON object");
  std::string spec_text = SpecText(answer);
  if (spec_text.empty()) spec_text = io_spec_json;
  Result<ModelSpec> spec = ModelSpecFromJson(spec_text, std::string(kTargetSpec));
  if (!spec) return Nonsense(NativeType::kModelLoad, spec.error().message());
  Loaded loaded;
  loaded.spec = *std::move(spec);
  loaded.engine = {TextOf(answer, "engine"), TextOf(answer, "engine_version")};
  return loaded;
}

Result<std::vector<TensorSpec>> NativeClient::Shapes(std::span<const Shape> input_shapes) {
  const Json request = {
      {"shapes", Json(std::vector<Shape>(input_shapes.begin(), input_shapes.end()))}};
  KENNING_ASSIGN_OR_RETURN(
      const std::string text,
      CallJson(NativeType::kInferShapes, request.dump(), link_.times().inference_s));
  const Json outputs = MemberOf(Parsed(text), "outputs");
  if (!outputs.is_array() || outputs.size() > kMaxTensors) {
    return Nonsense(NativeType::kInferShapes, "it has no list of outputs");
  }
  std::vector<TensorSpec> specs;
  for (const Json& output : outputs) {
    auto spec = TensorFrom(output);
    if (!spec) return Nonsense(NativeType::kInferShapes, "an output without type and shape");
    specs.push_back(*std::move(spec));
  }
  return specs;
}

Result<std::string> NativeClient::Statistics() {
  return CallJson(NativeType::kStatistics, "", link_.times().answer_s);
}

Result<std::vector<OperatorProfile>> NativeClient::Profile() {
  KENNING_ASSIGN_OR_RETURN(const std::string text,
                           CallJson(NativeType::kProfile, "", link_.times().answer_s));
  const Json answer = Parsed(text);
  const Json list = answer.is_array() ? answer : MemberOf(answer, "operators");
  if (!list.is_array() || list.size() > kMaxOperators) {
    return Nonsense(NativeType::kProfile, "it has no list of operators");
  }
  std::vector<OperatorProfile> profile;
  for (const Json& one : list) profile.push_back(OperatorFrom(one));
  return profile;
}

Result<TargetClient::Optimised> NativeClient::Optimize(ModelSource& model,
                                                       const std::string& format,
                                                       const std::string& io_spec_json,
                                                       const std::string& optimizers_json) {
  KENNING_ASSIGN_OR_RETURN(const std::string sha256, Upload(model));
  Json request = {{"model", {{"sha256", sha256}, {"format", format}}},
                  {"optimizers", Parsed(optimizers_json)}};
  if (!request["optimizers"].is_array()) {
    return Fail(ErrorCode::kInvalidArgument, "the optimizers are no JSON list");
  }
  if (!io_spec_json.empty()) request["model"]["io_spec"] = Embedded(io_spec_json);
  KENNING_ASSIGN_OR_RETURN(const std::string text, CallJson(NativeType::kOptimize, request.dump(),
                                                            link_.times().optimise_s));
  const Json answer = Parsed(text);
  const auto size = CountOf(answer, "size");
  const std::string result_sha256 = TextOf(answer, "sha256");
  if (!size || !DigestFromHex(result_sha256)) {
    return Nonsense(NativeType::kOptimize, "it names no model");
  }
  TargetClient::Optimised result;
  result.format = TextOf(answer, "format");
  result.io_spec_json = SpecText(answer);
  const Json steps = MemberOf(answer, "provenance");
  for (std::size_t i = 0; steps.is_array() && i < std::min(steps.size(), kMaxSteps); ++i) {
    result.provenance.push_back(StepFrom(steps[i]));
  }
  KENNING_ASSIGN_OR_RETURN(result.model_bytes, Fetch(result_sha256, *size));
  return result;
}

Result<std::string> NativeClient::Fetch(const std::string& sha256, std::uint64_t size) {
  if (size > kMaxModelBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("the target's model has {}; at most {} are fetched", HumanBytes(size),
                            HumanBytes(kMaxModelBytes)));
  }
  const auto digest = DigestFromHex(sha256);
  const bool slow = link_.settings().dialect == WireDialect::kUart;
  ProgressSink* progress = link_.options().progress;
  if (progress != nullptr) progress->Begin("Fetching the model", size, "bytes");
  std::string bytes;
  Result<> got;
  while (got && bytes.size() < size) {
    std::array<std::byte, 12> place{};
    const std::uint32_t most = slow ? kLeastPart : most_part_;
    const std::uint64_t wanted = std::min<std::uint64_t>(most, size - bytes.size());
    StoreLe(place.data(), static_cast<std::uint64_t>(bytes.size()));
    StoreLe(place.data() + 8, static_cast<std::uint32_t>(wanted));
    const std::array<ConstBytes, 2> body{ConstBytes(*digest), ConstBytes(place)};
    const std::size_t before = bytes.size();
    PayloadSink sink(bytes, wanted);
    got = link_.Usable();
    if (!got) break;
    const auto answer = Call(NativeType::kModelFetch, body, sink, link_.times().answer_s);
    if (!answer) {
      got = Fail(answer.error());
    } else if (bytes.size() == before) {
      got = Nonsense(NativeType::kModelFetch, "it brings no bytes");
    }
    if (progress != nullptr) progress->Update(bytes.size());
  }
  if (progress != nullptr) progress->End();
  KENNING_RETURN_IF_ERROR(got);
  Sha256 hash;
  hash.Add(bytes);
  if (hash.FinishHex() != sha256) {
    return Nonsense(NativeType::kModelFetch, "the model is not the one of its SHA-256");
  }
  return bytes;
}

}  // namespace kenning::wire
