// SPDX-License-Identifier: Apache-2.0
#include "measure/environment.h"

#include <fmt/format.h>

#include <fstream>

#include "kenning/base/clock.h"

#ifndef KENNING_VERSION
#error "KENNING_VERSION comes from CMake"
#endif

namespace kenning {
namespace {

std::string FirstWord(const char* path) {
  std::ifstream stream(path);
  std::string word;
  stream >> word;
  return word;
}

void AddWarnings(Environment& environment) {
  const auto cores = static_cast<float>(environment.platform.logical_cores);
  if (cores > 0 && environment.load_average_1min > 0.5F * cores) {
    environment.warnings.push_back(fmt::format(
        "load average {:.1f} on {} cores before the run: other work disturbs the latency",
        environment.load_average_1min, environment.platform.logical_cores));
  }
  if (environment.governor == "powersave" || environment.governor == "ondemand" ||
      environment.governor == "conservative") {
    environment.warnings.push_back(fmt::format(
        "CPU frequency governor \"{}\": latencies depend on the frequency of the moment",
        environment.governor));
  }
}

}  // namespace

Environment CaptureEnvironment(const PlatformInfo& platform) {
  Environment environment;
  environment.platform = platform;
  environment.governor = FirstWord("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  const std::string load = FirstWord("/proc/loadavg");
  environment.load_average_1min = load.empty() ? 0.0F : std::strtof(load.c_str(), nullptr);
  environment.kenning_version = KENNING_VERSION;
  environment.git_revision = KENNING_REVISION;
  environment.started_at = WallTimeUtc();
  environment.versions["kenning"] = KENNING_VERSION;
  AddWarnings(environment);
  return environment;
}

}  // namespace kenning
