// SPDX-License-Identifier: Apache-2.0
#include "kenning/toolchain/worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/modules.h"
#include "kenning/base/strings.h"
#include "kenning/toolchain/toolchain.h"
#include "toolchain/layout.h"
#include "toolchain/process.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostResponse = 256U << 20;
constexpr int kTailLines = 15;

Result<fs::path> FindResource(const fs::path& relative) {
  std::vector<std::string> tried;
  for (const fs::path& folder : ResourceFolders()) {
    std::error_code ignored;
    if (fs::exists(folder / relative, ignored)) return folder / relative;
    tried.push_back((folder / relative).string());
  }
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} is not installed; looked for {}", relative.string(), Join(tried)));
}

std::uint64_t DefaultMemoryLimit() {
  const auto pages = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES));
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  return pages * page / 4 * 3;
}

/// A failed job's log outlives it.
std::string KeepLog(const fs::path& log, const std::string& script) {
  const fs::path kept = ToolchainRoot() / "logs" /
                        fmt::format("{}-{}-{}.log", fs::path(script).stem().string(), ::getpid(),
                                    MonotonicNowNs() / 1'000'000);
  std::error_code error;
  fs::create_directories(kept.parent_path(), error);
  fs::copy_file(log, kept, fs::copy_options::overwrite_existing, error);
  return error ? "" : fmt::format("\nwhole log: {}", kept.string());
}

ErrorCode CodeOfKind(std::string_view kind) {
  constexpr std::array<std::pair<std::string_view, ErrorCode>, 6> kKinds = {{
      {"invalid-model", ErrorCode::kInvalidModel},
      {"invalid-data", ErrorCode::kInvalidData},
      {"unsupported", ErrorCode::kUnsupported},
      {"unavailable", ErrorCode::kUnavailable},
      {"resource-exhausted", ErrorCode::kResourceExhausted},
      {"failed-precondition", ErrorCode::kFailedPrecondition},
  }};
  for (const auto& [name, code] : kKinds) {
    if (name == kind) return code;
  }
  return ErrorCode::kEngineFailure;
}

void ReportProgress(std::string_view line, const std::string& stage, std::uint64_t& total,
                    ProgressSink& progress) {
  const nlohmann::json json = nlohmann::json::parse(line, nullptr, false);
  if (!json.is_object()) return;
  const auto number = [&json](const char* key) {
    const auto it = json.find(key);
    return it != json.end() && it->is_number_unsigned() ? it->get<std::uint64_t>() : 0;
  };
  if (number("total") != total) {
    total = number("total");
    progress.End();
    progress.Begin(stage, total, "steps");
  }
  progress.Update(number("done"));
}

/// The worker's answer, or what it says went wrong.
Result<nlohmann::json> ReadResponse(const fs::path& file, const std::string& name,
                                    const std::string& log_place) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMostResponse));
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  const bool shaped = json.is_object() && json.contains("ok") && json["ok"].is_boolean();
  if (shaped && json["ok"].get<bool>() && json.contains("result") && json["result"].is_object()) {
    return json["result"];
  }
  if (shaped && !json["ok"].get<bool>() && json.contains("message") &&
      json["message"].is_string()) {
    const std::string kind = json.contains("kind") && json["kind"].is_string()
                                 ? json["kind"].get<std::string>()
                                 : std::string();
    return Fail(CodeOfKind(kind),
                fmt::format("{}: {}{}", name, json["message"].get<std::string>(), log_place));
  }
  return Fail(ErrorCode::kEngineFailure,
              fmt::format("{}: its answer is not in the form of an answer{}", name, log_place));
}

}  // namespace

Result<nlohmann::json> RunWorker(const WorkerJob& job, ProgressSink& progress,
                                 const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const ToolchainInfo info, FindToolchain(job.toolchain));
  if (!ToolchainInstalled(info)) return Fail(ToolchainMissing(info));
  KENNING_ASSIGN_OR_RETURN(const fs::path script,
                           FindResource(fs::path("engines") / job.engine / "workers" / job.script));
  KENNING_ASSIGN_OR_RETURN(const fs::path helper,
                           FindResource(fs::path("workers") / "kenning_worker.py"));
  KENNING_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Create());
  const fs::path request = scratch.path() / "request.json";
  const fs::path response = scratch.path() / "response.json";
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(
      request, job.request.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  ProcessOptions options;
  options.argv = {ToolchainPython(ToolchainFolder(info)).string(), "-s", script.string(),
                  request.string(), response.string()};
  options.environment = PythonEnvironment(
      {"PYTHONPATH=" + helper.parent_path().string(), "PYTHONDONTWRITEBYTECODE=1"});
  options.folder = scratch.path();
  options.log = scratch.path() / "log";
  options.time_limit_s = job.time_limit_s;
  options.memory_limit_bytes =
      job.memory_limit_bytes > 0 ? job.memory_limit_bytes : DefaultMemoryLimit();
  std::uint64_t total = 0;
  options.on_progress = [&](std::string_view line) {
    ReportProgress(line, job.stage, total, progress);
  };
  progress.Begin(job.stage, 0, "");
  const auto result = RunProcess(options, cancel);
  progress.End();
  const std::string name = fmt::format("{} (toolchain {})", job.script, job.toolchain);
  if (!result) return Fail(Error(result.error()).AddContext(name));
  std::error_code ignored;
  const bool answered = fs::exists(response, ignored);
  const auto place = [&] { return KeepLog(options.log, job.script); };
  const auto fail = [&](ErrorCode code, const std::string& what) {
    return Fail(code,
                fmt::format("{} {}:\n{}{}", name, what, LogTail(options.log, kTailLines), place()));
  };
  switch (result->end) {
    case ProcessEnd::kCancelled:
      return Fail(ErrorCode::kCancelled, "interrupted");
    case ProcessEnd::kTimedOut:
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("was ended after its time limit of {:.0f} s", job.time_limit_s));
    case ProcessEnd::kOutOfMemory:
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("was ended at its memory limit of {}",
                              HumanBytes(options.memory_limit_bytes)));
    case ProcessEnd::kSignalled:
      // An answer that is whole stands: some frameworks crash on their way out.
      if (answered) break;
      return fail(ErrorCode::kEngineFailure,
                  fmt::format("crashed ({})", ::strsignal(result->code)));
    case ProcessEnd::kExited:
      if (answered) break;
      return fail(ErrorCode::kEngineFailure,
                  fmt::format("ended with code {} and no answer", result->code));
  }
  auto read = ReadResponse(response, name, "");
  if (!read) return Fail(read.error().code(), read.error().message() + place());
  return read;
}

}  // namespace kenning
