// SPDX-License-Identifier: Apache-2.0
#include "session_worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "child_process.h"
#include "engine_backend.h"
#include "kenning/base/log.h"
#include "sandbox.h"
#include "session_process.h"
#include "transport/socket_channel.h"
#include "wire/logs.h"
#include "wire/message_reader.h"

namespace kenning::target {
namespace {

constexpr double kBusyTime_s = 5;
constexpr std::uint64_t kMostSkipped = 1U << 20;

SandboxPlan PlanFor(const AgentOptions& options, const std::filesystem::path& scratch) {
  SandboxPlan plan;
  plan.enabled = options.sandbox.enabled;
  plan.allow_processes = options.sandbox.allow_optimizers;
  plan.max_memory_bytes = options.session.max_memory_bytes;
  plan.max_file_bytes = options.store.max_bytes;
  plan.writable_folders = {scratch, options.state_folder / "models",
                           options.state_folder / "parts"};
  if (options.runtime && options.runtime->params.Has("save_model_path")) {
    plan.writable_files.emplace_back(options.runtime->params.String("save_model_path"));
  }
  return plan;
}

int ServeSession(Channel& channel, const SessionSetup& setup, SessionPage* page,
                 const std::filesystem::path& scratch) {
  std::error_code error;
  std::filesystem::create_directories(scratch, error);
  // What engines and toolchains write by themselves goes where it is removed.
  ::setenv("TMPDIR", scratch.c_str(), 1);
  if (error || ::chdir(scratch.c_str()) != 0) {
    LogError("{}: cannot be made: {}", scratch.string(), error.message());
    return 1;
  }
  auto store = FileModelStore::Open(setup.options.state_folder, setup.options.store);
  if (!store) {
    LogError("{}", store.error().ToString());
    return 1;
  }
  wire::TargetServer* log_to = nullptr;
  BackendContext context{setup.registry, setup.options, *store, scratch, page, {}, {}};
  context.sandbox_layers = EnterSandbox(PlanFor(setup.options, scratch));
  context.log = [&log_to](LogLevel level, std::string_view text) {
    if (log_to != nullptr) log_to->Log(level, text);
  };
  EngineBackend backend(std::move(context));
  wire::ServerOptions options;
  options.settings = setup.settings;
  options.limits = setup.options.wire;
  options.state = &page->state;
  wire::TargetServer server(channel, backend, *store, std::move(options));
  log_to = &server;
  const Result<> ended = server.Serve();
  log_to = nullptr;
  if (ended) return 0;
  LogInfo("{}: {}", channel.peer(), ended.error().ToString());
  return ExitCodeFor(ended.error().code());
}

[[noreturn]] void Leave(Channel& channel, int code) {
  channel.Shutdown();
  std::fflush(nullptr);
  // Engines' own threads and destructors have no part in the result.
  ::_exit(code);
}

/// Answers the first request, whatever it is.
void SayBusy(Channel& channel, const WireSettings& settings, const std::string& text) {
  const Deadline deadline = Deadline::After(kBusyTime_s);
  if (!SendBusyNotice(channel, text, deadline)) return;
  wire::MessageReader reader(channel);
  bool ended = false;
  const Result<wire::Header> header = reader.ReadHeader(ended, deadline);
  if (!header || ended) return;
  const auto type = static_cast<std::uint64_t>(header->type);
  bool native = type >= wire::kFirstNativeType;
  std::uint32_t id = 0;
  if (native && header->body_size() >= wire::kNativePrefixBytes) {
    wire::NativePrefixBytes prefix;
    if (!reader.Read(prefix, deadline)) return;
    id = wire::DecodePrefix(prefix).request_id;
  }
  const std::vector<std::byte> answer =
      wire::FailureAnswer(type, id, native, wire::StatusCode::kBusy, text, settings);
  const ConstBytes piece(answer);
  if (!channel.WriteAll({&piece, 1}, deadline)) return;
  // What the client still sends is taken, so that no reset overtakes the answer.
  while (reader.Skip(1, deadline)) {
  }
}

}  // namespace

Result<> SendBusyNotice(Channel& channel, const std::string& text, Deadline deadline) {
  std::vector<std::byte> payload;
  wire::AppendLog(payload, LogLevel::kError, text);
  const std::byte greeting{0};
  const wire::HeaderBytes header = wire::EncodeHeader(
      {.type = wire::MessageType::kLogs,
       .flow = wire::FlowControl::kTransmission,
       .flags = wire::kIsKenning | wire::kHasPayload | wire::kFirst | wire::kLast,
       .payload_size = static_cast<std::uint32_t>(payload.size())});
  const ConstBytes pieces[] = {{&greeting, 1}, header, payload};
  return channel.WriteAll(pieces, deadline);
}

void RunSessionWorker(Channel& channel, const SessionSetup& setup, SessionPage* page,
                      const std::filesystem::path& scratch, pid_t parent) {
  BecomeChild({channel.descriptor()}, parent);
  NoteFatalSignals(page);
  // What else the channel had open is closed by now.
  auto own = AdoptDescriptor(::dup(channel.descriptor()), channel.peer());
  if (!own) {
    LogError("{}: {}", channel.peer(), own.error().ToString());
    ::_exit(1);
  }
  int code = 1;
  try {
    code = ServeSession(**own, setup, page, scratch);
  } catch (const std::exception& exception) {
    LogError("{}: {}", channel.peer(), exception.what());
  }
  Leave(**own, code);
}

void RunBusyWorker(Channel& channel, const WireSettings& settings, const std::string& text,
                   pid_t parent) {
  BecomeChild({channel.descriptor()}, parent);
  ::alarm(2 * static_cast<unsigned>(kBusyTime_s));
  SandboxPlan plan;
  plan.max_memory_bytes = std::uint64_t{64} << 20;
  static_cast<void>(EnterSandbox(plan));
  try {
    SayBusy(channel, settings, text);
  } catch (const std::exception&) {
    // Nothing more can be said.
  }
  Leave(channel, 0);
}

}  // namespace kenning::target
