// SPDX-License-Identifier: Apache-2.0
// One reading: /proc/stat, /proc/meminfo, memory of processes, and the sensors.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "kenning/base/clock.h"
#include "measure/kept_file.h"
#include "measure/sampler.h"

namespace kenning {
namespace {

struct CoreTimes {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
};

/// The next number of a line; false at its end.
bool NextNumber(std::string_view& line, std::uint64_t& value) {
  while (!line.empty() && line[0] == ' ') line.remove_prefix(1);
  const auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
  if (parsed.ec != std::errc()) return false;
  line.remove_prefix(static_cast<std::size_t>(parsed.ptr - line.data()));
  return true;
}

/// Jiffies per core from /proc/stat.
void ParseCoreTimes(std::string_view text, std::vector<CoreTimes>& cores) {
  cores.clear();
  while (text.starts_with("cpu")) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(3, end - 3);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with(' ')) continue;  // The sum of all cores.
    std::uint64_t value = 0;
    if (!NextNumber(line, value)) continue;
    CoreTimes times;
    // user nice system idle iowait irq softirq steal; guest times are within user already.
    for (int i = 0; i < 8 && NextNumber(line, value); ++i) {
      times.total += value;
      if (i != 3 && i != 4) times.busy += value;
    }
    cores.push_back(times);
  }
}

/// "MemTotal:   8049476 kB" in bytes; 0 where the key is missing.
std::uint64_t KibibytesOf(std::string_view text, std::string_view key) {
  const std::size_t at = text.find(key);
  if (at == std::string_view::npos || (at != 0 && text[at - 1] != '\n')) return 0;
  text.remove_prefix(at + key.size());
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value * 1024;
}

/// The second number of /proc/PID/statm.
std::uint64_t ResidentBytes(const KeptFile& statm) {
  std::array<char, 128> buffer;
  std::string_view line = statm.Read(buffer);
  std::uint64_t value = 0;
  if (!NextNumber(line, value) || !NextNumber(line, value)) return 0;
  static const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return value * page;
}

std::uint64_t PeakBytes(const KeptFile& status) {
  std::array<char, 4096> buffer;
  return KibibytesOf(status.Read(buffer), "VmHWM:");
}

}  // namespace

struct SystemProbe::Impl {
  explicit Impl(const SamplerOptions& options)
      : sensors(options.sensors),
        stat(options.sensors.root / "proc/stat"),
        meminfo(options.sensors.root / "proc/meminfo"),
        statm(options.sensors.root / "proc/self/statm"),
        status(options.sensors.root / "proc/self/status"),
        session_statm(Of(options, "statm")),
        session_status(Of(options, "status")) {
    ParseCoreTimes(stat.ReadAll(buffer), last);
    std::array<char, 4096> text;
    memory_total = KibibytesOf(meminfo.Read(text), "MemTotal:");
  }

  static KeptFile Of(const SamplerOptions& options, const char* file) {
    if (options.session_pid <= 0) return {};
    return KeptFile(options.sensors.root / "proc" / std::to_string(options.session_pid) / file);
  }

  void ReadCores(SystemReading& reading) {
    ParseCoreTimes(stat.ReadAll(buffer), now);
    reading.cpu_percent.reserve(now.size());
    for (std::size_t i = 0; i < now.size(); ++i) {
      // A core that went away and came back may count from another start.
      const CoreTimes before = i < last.size() ? last[i] : CoreTimes{};
      const bool forward = now[i].total > before.total && now[i].busy >= before.busy;
      const auto total = static_cast<float>(now[i].total - before.total);
      const auto busy = static_cast<float>(now[i].busy - before.busy);
      reading.cpu_percent.push_back(forward ? std::min(100 * busy / total, 100.0F) : 0.0F);
    }
    std::swap(now, last);
  }

  void ReadMemory(SystemReading& reading) const {
    std::array<char, 4096> text;
    const std::string_view info = meminfo.Read(text);
    const std::uint64_t available = KibibytesOf(info, "MemAvailable:");
    if (memory_total > 0 && available > 0 && available <= memory_total) {
      reading.memory_used_bytes = memory_total - available;
      reading.memory_percent = static_cast<float>(
          100 * static_cast<double>(reading.memory_used_bytes) / static_cast<double>(memory_total));
    }
    reading.process_resident_bytes = ResidentBytes(statm);
    reading.session_resident_bytes = ResidentBytes(session_statm);
  }

  void ReadSensors(SystemReading& reading) {
    const std::vector<Sensor>& list = sensors.sensors();
    reading.values.resize(list.size());
    sensors.Read(reading.values);
    double sum_mhz = 0;
    int cores = 0;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const double value = reading.values[i];
      if (std::isnan(value)) continue;
      if (list[i].kind == SensorKind::kFrequency) {
        sum_mhz += value;
        ++cores;
      }
      if (list[i].kind == SensorKind::kTemperature && list[i].source != "nvml") {
        reading.temperature_c = std::max(reading.temperature_c, static_cast<float>(value));
      }
    }
    if (cores > 0) reading.frequency_mhz = static_cast<float>(sum_mhz / cores);
  }

  SensorSet sensors;
  KeptFile stat;
  KeptFile meminfo;
  KeptFile statm;
  KeptFile status;
  KeptFile session_statm;
  KeptFile session_status;
  std::uint64_t memory_total = 0;
  std::vector<char> buffer;
  std::vector<CoreTimes> last;
  std::vector<CoreTimes> now;
};

SystemProbe::SystemProbe(const SamplerOptions& options) : impl_(std::make_unique<Impl>(options)) {}
SystemProbe::~SystemProbe() = default;

const std::vector<Sensor>& SystemProbe::sensors() const { return impl_->sensors.sensors(); }

SystemReading SystemProbe::Read() {
  SystemReading reading;
  impl_->ReadCores(reading);
  impl_->ReadMemory(reading);
  // The time lies next to the counters of energy, which want it most exactly.
  impl_->ReadSensors(reading);
  reading.time_ns = MonotonicNowNs();
  return reading;
}

std::uint64_t SystemProbe::memory_total_bytes() const { return impl_->memory_total; }
std::uint64_t SystemProbe::process_peak_bytes() const { return PeakBytes(impl_->status); }
std::uint64_t SystemProbe::session_peak_bytes() const { return PeakBytes(impl_->session_status); }

std::uint64_t ProcessPeakResidentBytes() { return PeakBytes(KeptFile("/proc/self/status")); }

}  // namespace kenning
