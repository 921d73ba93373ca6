// SPDX-License-Identifier: Apache-2.0
#include "measure/sampler.h"

#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>

#include "kenning/base/clock.h"

namespace kenning {
namespace {

struct CoreTimes {
  std::uint64_t busy = 0;
  std::uint64_t total = 0;
};

/// Jiffies per core from /proc/stat.
std::vector<CoreTimes> ReadCoreTimes() {
  std::vector<CoreTimes> cores;
  std::ifstream stream("/proc/stat");
  for (std::string line; std::getline(stream, line);) {
    if (line.compare(0, 3, "cpu") != 0) break;
    if (line.size() < 4 || line[3] == ' ') continue;  // The sum of all cores.
    std::istringstream fields(line.substr(line.find(' ')));
    CoreTimes times;
    std::uint64_t value = 0;
    // user nice system idle iowait irq softirq steal; guest times are within user already.
    for (int i = 0; i < 8 && fields >> value; ++i) {
      times.total += value;
      if (i != 3 && i != 4) times.busy += value;
    }
    cores.push_back(times);
  }
  return cores;
}

float ReadMemoryPercent() {
  std::ifstream stream("/proc/meminfo");
  std::string key;
  double total = 0;
  double available = 0;
  double value = 0;
  std::string unit;
  while (stream >> key >> value) {
    std::getline(stream, unit);
    if (key == "MemTotal:") total = value;
    if (key == "MemAvailable:") {
      available = value;
      break;
    }
  }
  return total > 0 ? static_cast<float>(100 * (total - available) / total) : 0.0F;
}

std::uint64_t ReadResidentBytes() {
  std::ifstream stream("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  stream >> size >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// Files whose numbers are averaged (frequencies) or maximised (temperatures); found once.
std::vector<std::string> ExistingFiles(const std::string& folder, const std::string& prefix,
                                       const std::string& file) {
  std::vector<std::string> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name.compare(0, prefix.size(), prefix) != 0) continue;
    const std::filesystem::path path = entry.path() / file;
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) files.push_back(path.string());
  }
  return files;
}

double ReadNumber(const std::string& path) {
  std::ifstream stream(path);
  double value = 0;
  stream >> value;
  return value;
}

}  // namespace

struct SystemSampler::Impl {
  std::vector<std::string> frequency_files =
      ExistingFiles("/sys/devices/system/cpu", "cpu", "cpufreq/scaling_cur_freq");
  std::vector<std::string> temperature_files =
      ExistingFiles("/sys/class/thermal", "thermal_zone", "temp");
  std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::thread thread;
  std::vector<SystemReading> readings;
  std::vector<CoreTimes> last;

  void Read() {
    SystemReading reading;
    const std::vector<CoreTimes> now = ReadCoreTimes();
    for (std::size_t i = 0; i < now.size(); ++i) {
      const CoreTimes before = i < last.size() ? last[i] : CoreTimes{};
      const auto total = static_cast<float>(now[i].total - before.total);
      const auto busy = static_cast<float>(now[i].busy - before.busy);
      reading.cpu_percent.push_back(total > 0 ? 100 * busy / total : 0.0F);
    }
    last = now;
    reading.memory_percent = ReadMemoryPercent();
    reading.process_resident_bytes = ReadResidentBytes();
    double sum_khz = 0;
    for (const std::string& file : frequency_files) sum_khz += ReadNumber(file);
    if (!frequency_files.empty()) {
      reading.frequency_mhz =
          static_cast<float>(sum_khz / 1000 / static_cast<double>(frequency_files.size()));
    }
    for (const std::string& file : temperature_files) {
      reading.temperature_c =
          std::max(reading.temperature_c, static_cast<float>(ReadNumber(file) / 1000));
    }
    reading.time_ns = MonotonicNowNs();
    readings.push_back(std::move(reading));
  }

  void Loop(std::chrono::duration<double> interval) {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, interval, [this] { return stopping; })) Read();
  }
};

SystemSampler::SystemSampler() : impl_(std::make_unique<Impl>()) {}
SystemSampler::~SystemSampler() { Stop(); }

void SystemSampler::Start(double interval_s) {
  Stop();
  impl_->stopping = false;
  impl_->last = ReadCoreTimes();
  impl_->Read();
  impl_->thread = std::thread(
      [impl = impl_.get(), interval_s] { impl->Loop(std::chrono::duration<double>(interval_s)); });
}

std::vector<SystemReading> SystemSampler::Stop() {
  if (!impl_->thread.joinable()) return {};
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
  impl_->Read();
  return std::exchange(impl_->readings, {});
}

std::uint64_t ProcessPeakResidentBytes() {
  std::ifstream stream("/proc/self/status");
  for (std::string line; std::getline(stream, line);) {
    if (line.compare(0, 6, "VmHWM:") == 0) {
      return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
    }
  }
  return 0;
}

}  // namespace kenning
