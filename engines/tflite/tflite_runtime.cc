// SPDX-License-Identifier: Apache-2.0
#include "tflite_runtime.h"

#include <fmt/format.h>
#include <sched.h>

#include <fstream>
#include <set>

#include "kenning/base/log.h"
#include "kenning/base/uri.h"
#include "tflite_c_api.h"
#include "tflite_session.h"

namespace kenning::tflite {
namespace {

int ReadNumber(const std::string& path) {
  std::ifstream file(path);
  int number = -1;
  return file >> number ? number : -1;
}

}  // namespace

int UsableCores() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 1;
  std::set<std::pair<int, int>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    const std::string topology = fmt::format("/sys/devices/system/cpu/cpu{}/topology/", cpu);
    const int core = ReadNumber(topology + "core_id");
    cores.emplace(ReadNumber(topology + "physical_package_id"), core < 0 ? -1 - cpu : core);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

Result<std::unique_ptr<Runtime>> TfliteRuntime::Make(const Params& params) {
  SessionSettings settings;
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  settings.xnnpack = params.Bool("use_xnnpack");
  settings.profiling = params.Bool("profiling");
  if (params.Has("delegates_list")) settings.delegates = params.StringList("delegates_list");
  settings.delegate_options = params.StringList("delegate_options");
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  const int cores = UsableCores();
  if (settings.num_threads > cores) {
    LogWarning(
        "TFLiteRuntime: num_threads is {} on {} core{}: threads that wait for each other's core "
        "slow the model down; 0 takes as many as there are",
        settings.num_threads, cores, cores == 1 ? "" : "s");
  }
  return std::make_unique<TfliteRuntime>(std::move(settings), std::move(model_path));
}

EngineVersion TfliteRuntime::engine() const { return {"tflite", TfLiteVersion()}; }

Result<std::unique_ptr<Session>> TfliteRuntime::Load(const std::filesystem::path& path,
                                                     const std::string& format) {
  if (format != "tflite") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: TensorFlow Lite runs format \"tflite\", not \"{}\"; add the "
                            "optimizer TFLiteCompiler, or choose another runtime",
                            path.string(), format));
  }
  return TfliteSession::Load(path, settings_);
}

}  // namespace kenning::tflite
