// SPDX-License-Identifier: Apache-2.0
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>

#include "measure/environment.h"

namespace kenning {
namespace {

/// Flags that decide which kernels engines choose.
constexpr std::array<const char*, 20> kTellingFlags = {
    "sse4_1",   "sse4_2",   "avx",         "avx2",     "fma",         "f16c",        "avx512f",
    "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_int8",
    "amx_bf16", "asimd",    "asimddp",     "i8mm",     "bf16",        "sve"};

void ReadCpuInfo(PlatformInfo& info) {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon + 2 > line.size()) continue;
    const std::string key = line.substr(0, line.find_last_not_of(" \t", colon - 1) + 1);
    const std::string value = line.substr(std::min(colon + 2, line.size()));
    if (key == "model name" && info.cpu_model.empty()) info.cpu_model = value;
    if ((key == "flags" || key == "Features") && info.features.empty()) {
      std::istringstream flags(value);
      for (std::string flag; flags >> flag;) {
        if (std::ranges::find(kTellingFlags, flag) != kTellingFlags.end()) {
          info.features.push_back(flag);
        }
      }
    }
  }
}

}  // namespace

PlatformInfo DescribeHost() {
  PlatformInfo info;
  utsname names{};
  if (uname(&names) == 0) {
    info.name = names.nodename;
    info.architecture = names.machine;
    info.kernel = std::string(names.sysname) + " " + names.release;
  }
  const long cores = sysconf(_SC_NPROCESSORS_ONLN);
  info.logical_cores = cores > 0 ? static_cast<unsigned>(cores) : 0;
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long page_size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) {
    info.memory_bytes = static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_size);
  }
  ReadCpuInfo(info);
  return info;
}

}  // namespace kenning
