// SPDX-License-Identifier: Apache-2.0
#include "app/remote_target.h"

#include <fmt/format.h>

#include "app/artifact_store.h"
#include "app/loaded_model.h"
#include "app/target_facts.h"
#include "io_spec/io_spec_json.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/log.h"

namespace kenning {
namespace {

constexpr double kConnectTimeoutS = 10;
/// An agent lets idle clients go after some minutes: who worked longer than this on the host asks
/// whether it is still there, and connects again where it is not.
constexpr std::int64_t kLongestIdleNs = 60'000'000'000;

Error About(const std::string& name, Error error) {
  return std::move(error).AddContext("target " + name);
}

}  // namespace

RemoteTarget::RemoteTarget(std::unique_ptr<Transport> transport, std::string protocol,
                           AppContext& context)
    : transport_(std::move(transport)), context_(context) {
  run_.protocol = std::move(protocol);
  run_.address = transport_->name();
}

RemoteTarget::~RemoteTarget() { Close(); }

void RemoteTarget::Close() {
  if (client_ == nullptr) return;
  client_->IgnoreCancel();
  if (const auto ended = client_->Disconnect(); !ended) {
    LogDebug("{}: ending the session: {}", name(), ended.error().ToString());
  }
  client_.reset();
}

Result<> RemoteTarget::Open() {
  if (client_ != nullptr) return {};
  if (auto opened = Connect(); !opened) {
    client_.reset();
    return Fail(About(name(), std::move(opened).error()));
  }
  return {};
}

Result<> RemoteTarget::Connect() {
  const WireSettings& settings = transport_->settings();
  KENNING_ASSIGN_OR_RETURN(
      auto channel,
      transport_->Connect(Deadline::After(settings.timeout_s.value_or(kConnectTimeoutS))));
  wire::ClientOptions options;
  options.on_log = [](LogLevel level, std::string_view text) {
    if (level >= GetLogLevel()) LogLine(level, fmt::format("target: {}", text));
  };
  options.progress = &context_.progress;
  options.cancel = &context_.cancel;
  KENNING_ASSIGN_OR_RETURN(
      client_, wire::TargetClient::Connect(std::move(channel), settings, std::move(options)));
  auto native = client_->Negotiate();
  if (!native && native.error().code() == ErrorCode::kEngineFailure) {
    // Kenning's protocol has one answer for all: a target that refuses the first question is busy,
    // or wants something else than a host. Its words say which.
    return Fail(ErrorCode::kUnavailable, native.error().message());
  }
  KENNING_ASSIGN_OR_RETURN(run_.native, std::move(native));
  LogInfo("target {}: connected, {}", name(),
          run_.native ? "native mode" : "Kenning's protocol alone");
  last_used_ns_ = MonotonicNowNs();
  if (!run_.native) return {};
  KENNING_ASSIGN_OR_RETURN(const wire::TargetInfo info, client_->Info());
  run_.agent_version = info.agent_version;
  run_.platform = PlatformFromHello(info.json);
  return {};
}

Result<wire::TargetClient*> RemoteTarget::Client() {
  const bool idle = MonotonicNowNs() - last_used_ns_ > kLongestIdleNs;
  if (client_ != nullptr && idle && !StillThere()) client_.reset();
  KENNING_RETURN_IF_ERROR(Open());
  last_used_ns_ = MonotonicNowNs();
  return client_.get();
}

bool RemoteTarget::StillThere() {
  if (run_.native) return client_->MeasureClock(1).has_value();
  return client_->Statistics().has_value();
}

Result<> RemoteTarget::ReadClock() {
  if (!run_.native) return {};
  KENNING_ASSIGN_OR_RETURN(const wire::ClockOffset offset, client_->MeasureClock());
  // What no clock can be off by would only spoil later sums.
  constexpr std::int64_t kMostNs = 1'000'000'000'000'000'000;
  if (offset.offset_ns < -kMostNs || offset.offset_ns > kMostNs) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("the target's clock is off by {} ns", offset.offset_ns));
  }
  run_.clock.push_back(
      {MonotonicNowNs(), offset.offset_ns, offset.uncertainty_ns, offset.round_trip_ns});
  return {};
}

Result<std::unique_ptr<RemoteSession>> RemoteTarget::Load(const ModelArtifact& artifact,
                                                          const ScenarioBlock* runtime) {
  KENNING_ASSIGN_OR_RETURN(wire::TargetClient * client, Client());
  KENNING_ASSIGN_OR_RETURN(const std::string io_spec, IoSpecText(artifact));
  wire::LoadOptions options;
  if (runtime != nullptr && run_.native) {
    options.runtime_type = runtime->info->name;
    options.runtime_parameters_json = ParametersForTarget(*runtime);
    const std::string profiling = ProfilingParameter(*runtime->info);
    options.profiling = runtime->params.Has(profiling) && runtime->params.Bool(profiling);
  } else if (runtime != nullptr) {
    LogInfo(
        "target {}: Kenning's protocol cannot tell it the runtime's parameters; those that it "
        "was started with count",
        name());
  }
  auto loaded = client->LoadModel(artifact, io_spec, options);
  if (!loaded) {
    return Fail(About(name(), std::move(loaded).error().AddContext("loading the model there")));
  }
  run_.runtime = run_.native && runtime != nullptr ? runtime->info->name : "";
  run_.clock.clear();
  if (auto read = ReadClock(); !read) return Fail(About(name(), std::move(read).error()));
  return std::make_unique<RemoteSession>(*client);
}

EngineVersion RemoteTarget::engine() const {
  return client_ == nullptr ? EngineVersion{} : client_->engine();
}

TargetRun RemoteTarget::Finish(bool statistics) {
  const auto note = [this](const Result<>& result, std::string_view what) {
    if (!result) LogWarning("target {}: {}: {}", name(), what, result.error().ToString());
    return result.has_value();
  };
  const auto fetch = [this]() -> Result<> {
    KENNING_ASSIGN_OR_RETURN(run_.statistics_json, client_->Statistics());
    return ReadStatistics(run_.statistics_json, run_);
  };
  // Who stopped a run still wants to know what it was.
  if (client_ != nullptr) client_->IgnoreCancel();
  if (client_ != nullptr && note(ReadClock(), "its clock")) {
    if (statistics) note(fetch(), "its statistics");
  }
  last_used_ns_ = MonotonicNowNs();
  return run_;
}

Result<std::unique_ptr<RemoteTarget>> MakeRemoteTarget(const ScenarioBlock& protocol,
                                                       BlockContext& blocks, AppContext& context) {
  const BlockInfo& info = *protocol.info;
  KENNING_ASSIGN_OR_RETURN(auto transport, info.make_transport(protocol.params, blocks),
                           "protocol " + info.name);
  return std::make_unique<RemoteTarget>(std::move(transport), info.name, context);
}

Result<std::string> IoSpecText(const ModelArtifact& artifact) {
  constexpr std::uint64_t kLargest = 16 << 20;
  std::error_code ignored;
  const std::filesystem::path beside = IoSpecPath(artifact.path);
  if (std::filesystem::exists(beside, ignored)) return ReadFile(beside, kLargest);
  if (artifact.spec == ModelSpec{}) return std::string();
  return ModelSpecToJson(artifact.spec);
}

}  // namespace kenning
