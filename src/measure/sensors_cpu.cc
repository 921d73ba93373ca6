// SPDX-License-Identifier: Apache-2.0
// Temperatures, frequencies and throttling of the processor.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "kenning/base/clock.h"
#include "measure/sensor_sources.h"

namespace kenning {
namespace {

constexpr double kColdest = -273.15;
constexpr double kHottest = 1000;
constexpr double kHighestMhz = 100'000;
constexpr const char* kCpuFolder = "sys/devices/system/cpu";

/// "cpu0", "cpu1", …, without "cpufreq" and "cpuidle".
std::vector<std::string> CpuNames(const SourceList& list) {
  std::vector<std::string> names;
  for (std::string& name : NamesIn(list.Path(kCpuFolder), "cpu")) {
    if (name.size() > 3 && name[3] >= '0' && name[3] <= '9') names.push_back(std::move(name));
  }
  return names;
}

/// "cpu MHz" of /proc/cpuinfo. Making that file is slow on some kernels, so it is read once a
/// second.
class CpuInfoFrequencies {
 public:
  explicit CpuInfoFrequencies(KeptFile file) : file_(std::move(file)) { Refresh(); }
  std::size_t size() const { return mhz_.size(); }
  double At(std::size_t core) {
    if (MonotonicNowNs() - read_ns_ > 1'000'000'000) Refresh();
    return core < mhz_.size() ? mhz_[core] : kNoValue;
  }

 private:
  void Refresh() {
    mhz_.clear();
    std::string_view text = file_.ReadAll(buffer_);
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      const std::string_view line = text.substr(0, end);
      if (line.starts_with("cpu MHz")) {
        const std::size_t colon = line.find(':');
        const double mhz =
            colon == std::string_view::npos ? kNoValue : NumberIn(line.substr(colon + 1));
        mhz_.push_back(mhz > 0 && mhz < kHighestMhz ? mhz : kNoValue);
      }
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    read_ns_ = MonotonicNowNs();
  }

  KeptFile file_;
  std::vector<char> buffer_;
  std::vector<double> mhz_;
  std::int64_t read_ns_ = 0;
};

void AddCpuInfoFrequencies(SourceList& list) {
  auto info = std::make_shared<CpuInfoFrequencies>(list.Open(list.Path("proc/cpuinfo")));
  if (info->size() == 0) {
    return list.AddMissing({"cpu", SensorKind::kFrequency, "cpufreq", "", 0, 0},
                           "neither cpufreq nor /proc/cpuinfo tells frequencies (a virtual "
                           "machine, or a kernel without cpufreq)");
  }
  for (std::size_t core = 0; core < info->size(); ++core) {
    list.Add({fmt::format("cpu{}", core), SensorKind::kFrequency, "cpuinfo", "", 0.001, 1},
             [info, core] { return info->At(core); });
  }
}

/// The sum of counters that are files of their own; NaN where one of them is gone.
class CounterSum {
 public:
  void Add(KeptFile file) { files_.push_back(std::move(file)); }
  bool empty() const { return files_.empty(); }
  double Read() const {
    double sum = 0;
    for (const KeptFile& file : files_) sum += file.Number();
    return sum >= 0 ? sum : kNoValue;
  }

 private:
  std::vector<KeptFile> files_;
};

void AddCounters(SourceList& list, const char* name, std::shared_ptr<CounterSum> counters) {
  if (counters->empty()) return;
  list.Add({name, SensorKind::kThrottleEvents, "thermal_throttle", "", 1, 0},
           [counters] { return counters->Read(); });
}

/// Counters of x86: of every core, and one for each package.
void AddThermalThrottle(SourceList& list) {
  constexpr std::size_t kMostCores = 64;
  auto cores = std::make_shared<CounterSum>();
  std::map<std::string, bool> packages_seen;
  auto packages = std::make_shared<CounterSum>();
  std::size_t count = 0;
  for (const std::string& cpu : CpuNames(list)) {
    const std::filesystem::path folder = list.Path(kCpuFolder) / cpu;
    const std::filesystem::path core = folder / "thermal_throttle/core_throttle_count";
    if (count < kMostCores && list.Exists(core)) {
      if (KeptFile file = list.Open(core); file.is_open()) {
        cores->Add(std::move(file));
        ++count;
      }
    }
    const std::filesystem::path package = folder / "thermal_throttle/package_throttle_count";
    if (!list.Exists(package)) continue;
    if (!packages_seen.emplace(ShortText(folder / "topology/physical_package_id"), true).second) {
      continue;
    }
    if (KeptFile file = list.Open(package); file.is_open()) packages->Add(std::move(file));
  }
  AddCounters(list, "cores", cores);
  AddCounters(list, "packages", packages);
}

/// scaling_max_freq below cpuinfo_max_freq: someone, or the cooling, holds the processor back.
void AddFrequencyLimit(SourceList& list) {
  struct Policy {
    KeptFile limit;
    double highest;
  };
  const std::filesystem::path folder = list.Path(kCpuFolder) / "cpufreq";
  auto policies = std::make_shared<std::vector<Policy>>();
  constexpr std::size_t kMostPolicies = 32;
  for (const std::string& name : NamesIn(folder, "policy")) {
    if (policies->size() == kMostPolicies) break;
    const double highest = KeptFile(folder / name / "cpuinfo_max_freq").Number();
    if (!(highest > 0) || !list.Exists(folder / name / "scaling_max_freq")) continue;
    KeptFile limit = list.Open(folder / name / "scaling_max_freq");
    if (limit.is_open()) policies->push_back({std::move(limit), highest});
  }
  if (policies->empty()) return;
  list.Add({"cpu", SensorKind::kFrequencyLimit, "cpufreq", "", 0, 0}, [policies] {
    double lowest = kNoValue;
    for (const Policy& policy : *policies) {
      lowest = std::fmin(lowest, 100 * policy.limit.Number() / policy.highest);
    }
    return lowest >= 0 ? std::min(lowest, 100.0) : kNoValue;
  });
}

/// The firmware of a Raspberry Pi: bit 0 under-voltage, 1 frequency capped, 2 throttled, 3 soft
/// temperature limit; the same plus 16 for "since the start".
void AddRaspberryPi(SourceList& list) {
  for (const char* place : {"sys/devices/platform/soc/soc:firmware/get_throttled",
                            "sys/devices/platform/scb/soc:firmware/get_throttled"}) {
    const std::filesystem::path path = list.Path(place);
    if (!list.Exists(path)) continue;
    auto file = std::make_shared<KeptFile>(list.Open(path));
    Sensor sensor{"raspberry-pi", SensorKind::kThrottleState, "firmware", "", 1, 0};
    if (!file->is_open()) {
      return list.AddMissing(std::move(sensor), list.WhyNot(path, file->error()));
    }
    return list.Add(std::move(sensor), [file] {
      // Hexadecimal, on some kernels without "0x".
      std::array<char, 32> buffer;
      const std::string text(file->Read(buffer));
      return NumberIn(text.starts_with("0x") ? text : "0x" + text);
    });
  }
}

/// What the kernel's cooling does to processors: the depth of its state, 0 for nothing.
void AddCoolingStates(SourceList& list) {
  const std::filesystem::path folder = list.Path("sys/class/thermal");
  for (const std::string& name : NamesIn(folder, "cooling_device")) {
    const std::string type = ShortText(folder / name / "type");
    const bool processor = type.find("cpufreq") != std::string::npos ||
                           type.find("devfreq") != std::string::npos || type == "Processor";
    if (!processor) continue;
    list.AddFile({type, SensorKind::kThrottleState, "cooling device", "", 1, 0},
                 folder / name / "cur_state", 1, 0, 1e6);
  }
}

}  // namespace

void AddTemperatures(SourceList& list) {
  const std::filesystem::path folder = list.Path("sys/class/thermal");
  for (const std::string& name : NamesIn(folder, "thermal_zone")) {
    std::string type = ShortText(folder / name / "type");
    if (type.empty()) type = name;
    list.AddFile({type, SensorKind::kTemperature, "thermal zone", "", 0.001, 0},
                 folder / name / "temp", 1e-3, kColdest, kHottest);
  }
}

void AddFrequencies(SourceList& list) {
  bool any = false;
  std::size_t dropped = 0;
  for (const std::string& cpu : CpuNames(list)) {
    const std::filesystem::path path = list.Path(kCpuFolder) / cpu / "cpufreq/scaling_cur_freq";
    if (!list.Exists(path)) continue;
    any = true;
    auto file = std::make_shared<KeptFile>(list.Open(path));
    if (!file->is_open() && file->error() == 0) {
      ++dropped;
      continue;
    }
    Sensor sensor{cpu, SensorKind::kFrequency, "cpufreq", "", 0.001, 0};
    if (!file->is_open()) {
      list.AddMissing(std::move(sensor), list.WhyNot(path, file->error()));
      continue;
    }
    list.Add(std::move(sensor), [file] {
      const double mhz = file->Number() * 1e-3;
      return mhz > 0 && mhz < kHighestMhz ? mhz : kNoValue;
    });
  }
  if (!any) return AddCpuInfoFrequencies(list);
  if (dropped > 0) {
    list.AddMissing({"further cores", SensorKind::kFrequency, "cpufreq", "", 0, 0},
                    fmt::format("{} more cores are not read: too many open files", dropped));
  }
}

void AddThrottling(SourceList& list) {
  AddThermalThrottle(list);
  AddFrequencyLimit(list);
  AddRaspberryPi(list);
  AddCoolingStates(list);
}

}  // namespace kenning
