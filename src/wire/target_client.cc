// SPDX-License-Identifier: Apache-2.0
#include "wire/target_client.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "io_spec/io_spec_json.h"
#include "kenning/base/check.h"
#include "wire/kenning_client.h"
#include "wire/native_client.h"

namespace kenning::wire {
namespace {

constexpr double kCloseWaitS = 1;
constexpr double kQuickCloseWaitS = 0.1;

enum class Peer : std::uint8_t { kUnknown, kKenning, kNative };

std::uint64_t BytesOf(std::span<const TensorSpec> specs) {
  std::uint64_t bytes = 0;
  for (const TensorSpec& spec : specs) {
    const auto count = ElementCount(spec.shape);
    if (!count) return 0;
    bytes += *count * DTypeSize(spec.dtype);
  }
  return bytes;
}

}  // namespace

class TargetClient::Impl {
 public:
  Impl(std::unique_ptr<Channel> channel, const WireSettings& settings, ClientOptions options)
      : link(std::move(channel), settings, std::move(options)), kenning(link), native(link) {}

  Result<> Connect();
  /// Decides which mode is spoken, if that is not known.
  Result<> Settle();
  Result<> RequireNative(std::string_view what);
  Result<> Ready();
  Result<> LoadKenning(ModelSource* model, const std::string& io_spec_json);
  Result<> LoadNative(ModelSource& model, const std::string& format,
                      const std::string& io_spec_json, const LoadOptions& options);
  Result<std::vector<TensorSpec>> ResolveFromSpec(std::span<const Shape> input_shapes) const;
  Result<> CheckSample(std::size_t inputs, std::size_t outputs) const;
  Result<Optimised> OptimizeKenning(const ModelArtifact& model, ModelSource& source,
                                    const std::string& io_spec_json,
                                    const std::string& optimizers_json);
  Result<> SayHello();

  ClientLink link;
  KenningClient kenning;
  NativeClient native;
  Peer peer = Peer::kUnknown;
  TargetInfo info;
  ModelSpec spec;
  EngineVersion engine;
  bool loaded = false;
  bool shaken = false;  ///< UART: the session is open.
};

Result<> TargetClient::Impl::SayHello() {
  KENNING_ASSIGN_OR_RETURN(info, native.Hello());
  peer = Peer::kNative;
  kenning.set_offering(false);
  return {};
}

Result<> TargetClient::Impl::Connect() {
  const WireSettings& settings = link.settings();
  const bool required = settings.native == NativeMode::kOn || !settings.token.empty();
  if (settings.native == NativeMode::kOff && !settings.token.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a token needs the native mode, which is turned off: Kenning's protocol has no "
                "authentication");
  }
  if (settings.native == NativeMode::kOff) peer = Peer::kKenning;
  kenning.set_offering(settings.native != NativeMode::kOff);
  if (settings.dialect == WireDialect::kUart) {
    KENNING_RETURN_IF_ERROR(kenning.Shake());
    shaken = true;
    // The handshake is a request: its answer has told.
    if (!required) {
      if (kenning.offer_taken()) return SayHello();
      peer = Peer::kKenning;
      kenning.set_offering(false);
      return {};
    }
  } else {
    KENNING_RETURN_IF_ERROR(kenning.Greet());
  }
  if (!required) return {};
  Result<> hello = SayHello();
  if (hello || hello.error().code() != ErrorCode::kDeadlineExceeded) return hello;
  return Fail(std::move(hello).error().AddContext(
      settings.token.empty() ? "the native mode is required, and a peer without it does not answer"
                             : "a token needs the native mode; a peer without it does not answer"));
}

Result<> TargetClient::Impl::Settle() {
  if (peer != Peer::kUnknown) return {};
  // Kenning's server answers this at any time; the answer itself is of no use yet.
  const Result<std::string> answer = kenning.Statistics();
  if (!answer && (link.over() || !kenning.offer_taken())) return Fail(answer.error());
  if (kenning.offer_taken()) {
    Result<> hello = SayHello();
    // A target that serves another client says so, and leaves.
    const bool left = !hello && hello.error().code() == ErrorCode::kTargetLost;
    return left && !answer ? Result<>(Fail(answer.error())) : hello;
  }
  peer = Peer::kKenning;
  kenning.set_offering(false);
  return {};
}

Result<> TargetClient::Impl::Ready() {
  KENNING_RETURN_IF_ERROR(link.Usable());
  if (native.in_flight() == 0) return {};
  return Fail(ErrorCode::kFailedPrecondition,
              fmt::format("{} answers of inferences have not been taken", native.in_flight()));
}

Result<> TargetClient::Impl::RequireNative(std::string_view what) {
  KENNING_RETURN_IF_ERROR(Ready());
  KENNING_RETURN_IF_ERROR(Settle());
  if (peer == Peer::kNative) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{} needs the native mode; {} speaks Kenning's protocol alone", what,
                          link.channel().peer()));
}

Result<> TargetClient::Impl::LoadKenning(ModelSource* model, const std::string& io_spec_json) {
  KENNING_ASSIGN_OR_RETURN(ModelSpec from_json,
                           ModelSpecFromJson(io_spec_json, "the IO specification"));
  KENNING_RETURN_IF_ERROR(kenning.SendIoSpec(io_spec_json));
  KENNING_RETURN_IF_ERROR(model == nullptr ? kenning.SendNoModel() : kenning.SendModel(*model));
  spec = std::move(from_json);
  engine = {};
  loaded = true;
  return {};
}

Result<> TargetClient::Impl::LoadNative(ModelSource& model, const std::string& format,
                                        const std::string& io_spec_json,
                                        const LoadOptions& options) {
  KENNING_ASSIGN_OR_RETURN(const std::string sha256, native.Upload(model));
  KENNING_ASSIGN_OR_RETURN(auto on_target, native.Load(sha256, format, io_spec_json, options));
  spec = std::move(on_target.spec);
  engine = std::move(on_target.engine);
  native.set_answer_bytes(BytesOf(spec.engine_outputs()));
  loaded = true;
  return {};
}

/// A dimension of any size in the outputs is taken for the batch, as Kenning does.
Result<std::vector<TensorSpec>> TargetClient::Impl::ResolveFromSpec(
    std::span<const Shape> input_shapes) const {
  std::vector<TensorSpec> outputs = spec.engine_outputs();
  for (TensorSpec& output : outputs) {
    for (std::size_t i = 0; i < output.shape.size(); ++i) {
      if (output.shape[i] != kAnyDim) continue;
      if (i > 0 || input_shapes.empty() || input_shapes[0].empty()) {
        return Fail(
            ErrorCode::kUnsupported,
            fmt::format("output {}: Kenning's protocol does not tell its size", ToString(output)));
      }
      output.shape[i] = input_shapes[0][0];
    }
  }
  return outputs;
}

Result<> TargetClient::Impl::CheckSample(std::size_t inputs, std::size_t outputs) const {
  if (!loaded) return Fail(ErrorCode::kFailedPrecondition, "no model is loaded on the target");
  if (inputs == spec.engine_inputs().size() && outputs == spec.engine_outputs().size()) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{} inputs and {} outputs for a model with {} and {}", inputs, outputs,
                          spec.engine_inputs().size(), spec.engine_outputs().size()));
}

Result<TargetClient::Optimised> TargetClient::Impl::OptimizeKenning(
    const ModelArtifact& model, ModelSource& source, const std::string& io_spec_json,
    const std::string& optimizers_json) {
  if (source.folder()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: Kenning's protocol cannot carry a model that is a folder",
                            model.path.string()));
  }
  // The texts stay as they were given; only what is around them is made here.
  const auto quoted = [](const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  };
  const std::string request = fmt::format(
      R"({{"prev_block": {{"model_path": {}, "model_type": {}, "io_spec": {}}}, "optimizers": {}}})",
      quoted(model.path.filename().string()), quoted(model.format), io_spec_json, optimizers_json);
  Optimised result;
  KENNING_ASSIGN_OR_RETURN(result.model_bytes, kenning.Optimize(source, request));
  return result;
}

TargetClient::TargetClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TargetClient::~TargetClient() {
  if (impl_->shaken && !impl_->link.over()) {
    static_cast<void>(impl_->kenning.Close(kQuickCloseWaitS));
  }
}

Result<std::unique_ptr<TargetClient>> TargetClient::Connect(std::unique_ptr<Channel> channel,
                                                            const WireSettings& settings,
                                                            ClientOptions options) {
  std::unique_ptr<TargetClient> client(
      new TargetClient(std::make_unique<Impl>(std::move(channel), settings, std::move(options))));
  KENNING_RETURN_IF_ERROR(client->impl_->Connect());
  return client;
}

bool TargetClient::native() const { return impl_->peer == Peer::kNative; }

Result<bool> TargetClient::Negotiate() {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  KENNING_RETURN_IF_ERROR(impl_->Settle());
  return native();
}

Result<TargetInfo> TargetClient::Info() {
  KENNING_RETURN_IF_ERROR(impl_->RequireNative("asking a target what it is"));
  return impl_->info;
}

Result<ClockOffset> TargetClient::MeasureClock(int rounds) {
  KENNING_RETURN_IF_ERROR(impl_->RequireNative("comparing clocks"));
  return impl_->native.MeasureClock(rounds);
}

Result<std::int64_t> TargetClient::Echo(std::size_t bytes) {
  KENNING_RETURN_IF_ERROR(impl_->RequireNative("an echo"));
  return impl_->native.Echo(bytes);
}

Result<> TargetClient::LoadModel(const ModelArtifact& artifact, const std::string& io_spec_json,
                                 const LoadOptions& options) {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  KENNING_RETURN_IF_ERROR(impl_->Settle());
  KENNING_ASSIGN_OR_RETURN(ModelSource model, ModelSource::Open(artifact.path));
  const std::string json = io_spec_json.empty() ? ModelSpecToJson(artifact.spec) : io_spec_json;
  impl_->loaded = false;
  if (native()) return impl_->LoadNative(model, artifact.format, json, options);
  if (model.folder()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: Kenning's protocol cannot carry a model that is a folder",
                            artifact.path.string()));
  }
  return impl_->LoadKenning(&model, json);
}

Result<> TargetClient::LoadPresentModel(const std::string& io_spec_json) {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  KENNING_RETURN_IF_ERROR(impl_->Settle());
  impl_->loaded = false;
  return impl_->LoadKenning(nullptr, io_spec_json);
}

const ModelSpec& TargetClient::spec() const { return impl_->spec; }
EngineVersion TargetClient::engine() const { return impl_->engine; }

Result<std::vector<TensorSpec>> TargetClient::ResolveOutputs(std::span<const Shape> input_shapes) {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  if (!impl_->loaded) {
    return Fail(ErrorCode::kFailedPrecondition, "no model is loaded on the target");
  }
  if (!native()) return impl_->ResolveFromSpec(input_shapes);
  KENNING_ASSIGN_OR_RETURN(std::vector<TensorSpec> outputs, impl_->native.Shapes(input_shapes));
  impl_->native.set_answer_bytes(BytesOf(outputs));
  return outputs;
}

Result<TargetClient::InferResult> TargetClient::Infer(std::span<const TensorView> inputs,
                                                      std::span<const MutableTensorView> outputs) {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  KENNING_RETURN_IF_ERROR(impl_->CheckSample(inputs.size(), outputs.size()));
  return native() ? impl_->native.Infer(inputs, outputs) : impl_->kenning.Infer(inputs, outputs);
}

Result<> TargetClient::SendInfer(std::span<const TensorView> inputs) {
  KENNING_RETURN_IF_ERROR(impl_->link.Usable());
  if (!native()) {
    return Fail(ErrorCode::kUnsupported, "pipelining needs the native mode");
  }
  KENNING_RETURN_IF_ERROR(impl_->CheckSample(inputs.size(), impl_->spec.engine_outputs().size()));
  return impl_->native.SendInfer(inputs);
}

Result<TargetClient::InferResult> TargetClient::ReceiveInfer(
    std::span<const MutableTensorView> outputs) {
  KENNING_RETURN_IF_ERROR(impl_->link.Usable());
  KENNING_RETURN_IF_ERROR(impl_->CheckSample(impl_->spec.engine_inputs().size(), outputs.size()));
  return impl_->native.ReceiveInfer(outputs);
}

Result<bool> TargetClient::AwaitAnswer(Deadline until) {
  KENNING_RETURN_IF_ERROR(impl_->link.Usable());
  return impl_->native.AwaitAnswer(until);
}

Result<std::string> TargetClient::Statistics() {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  KENNING_RETURN_IF_ERROR(impl_->Settle());
  return native() ? impl_->native.Statistics() : impl_->kenning.Statistics();
}

Result<std::vector<OperatorProfile>> TargetClient::Profile() {
  KENNING_RETURN_IF_ERROR(impl_->RequireNative("a profile of operators"));
  return impl_->native.Profile();
}

Result<TargetClient::Optimised> TargetClient::Optimize(const ModelArtifact& model,
                                                       const std::string& io_spec_json,
                                                       const std::string& optimizers_json) {
  KENNING_RETURN_IF_ERROR(impl_->Ready());
  KENNING_RETURN_IF_ERROR(impl_->Settle());
  KENNING_ASSIGN_OR_RETURN(ModelSource source, ModelSource::Open(model.path));
  const std::string json = io_spec_json.empty() ? ModelSpecToJson(model.spec) : io_spec_json;
  if (native()) return impl_->native.Optimize(source, model.format, json, optimizers_json);
  return impl_->OptimizeKenning(model, source, json, optimizers_json);
}

void TargetClient::IgnoreCancel() { impl_->link.IgnoreCancel(); }

Result<> TargetClient::Disconnect() {
  KENNING_RETURN_IF_ERROR(impl_->link.Usable());
  Result<> closed;
  if (impl_->shaken) closed = impl_->kenning.Close(kCloseWaitS);
  static_cast<void>(
      impl_->link.End({ErrorCode::kFailedPrecondition, "the session was ended by this side"}));
  impl_->link.channel().Shutdown();
  return closed;
}

}  // namespace kenning::wire
