// SPDX-License-Identifier: Apache-2.0
#include "measure/sampler.h"

#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

namespace kenning {
namespace {

/// The two as one: shares of the time are averaged over it, everything else is as the later says.
SystemReading Joined(const SystemReading& first, SystemReading second, std::int64_t before_ns) {
  const auto early = static_cast<double>(first.time_ns - before_ns);
  const auto late = static_cast<double>(second.time_ns - first.time_ns);
  if (!(early > 0) || !(late > 0)) return second;
  const double weight = early / (early + late);
  for (std::size_t i = 0; i < second.cpu_percent.size() && i < first.cpu_percent.size(); ++i) {
    second.cpu_percent[i] =
        static_cast<float>(weight * static_cast<double>(first.cpu_percent[i]) +
                           (1 - weight) * static_cast<double>(second.cpu_percent[i]));
  }
  return second;
}

}  // namespace

struct SystemSampler::Impl {
  explicit Impl(SamplerOptions given) : options(std::move(given)), probe(options) {
    if (options.most_readings < 4) options.most_readings = 4;
  }

  SamplerOptions options;
  std::mutex mutex;  // Of everything below.
  SystemProbe probe;
  std::condition_variable wake;
  bool stopping = false;
  std::chrono::duration<double> interval{0};
  std::vector<SystemReading> readings;
  std::thread thread;

  void Read() {
    readings.push_back(probe.Read());
    if (readings.size() < options.most_readings) return;
    // The first stays: it is the start of every span.
    std::size_t kept = 1;
    std::size_t i = 1;
    for (; i + 1 < readings.size(); i += 2) {
      const std::int64_t before_ns = readings[kept - 1].time_ns;
      readings[kept++] = Joined(readings[i], std::move(readings[i + 1]), before_ns);
    }
    if (i < readings.size()) readings[kept++] = std::move(readings[i]);
    readings.resize(kept);
    interval *= 2;
  }

  void Loop() {
    std::unique_lock lock(mutex);
    while (!wake.wait_for(lock, interval, [this] { return stopping; })) Read();
  }
};

SystemSampler::SystemSampler(SamplerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
SystemSampler::~SystemSampler() { Stop(); }

void SystemSampler::Start(double interval_s) {
  Stop();
  impl_->stopping = false;
  impl_->interval = std::chrono::duration<double>(interval_s);
  impl_->Read();
  impl_->thread = std::thread([impl = impl_.get()] { impl->Loop(); });
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

TargetStatistics SystemSampler::Statistics() {
  const std::lock_guard lock(impl_->mutex);
  TargetStatistics statistics;
  if (impl_->thread.joinable()) impl_->Read();
  statistics.sensors = impl_->probe.sensors();
  statistics.readings = impl_->readings;
  statistics.memory_total_bytes = impl_->probe.memory_total_bytes();
  statistics.process_peak_resident_bytes = impl_->probe.process_peak_bytes();
  statistics.session_peak_resident_bytes = impl_->probe.session_peak_bytes();
  return statistics;
}

const std::vector<Sensor>& SystemSampler::sensors() const { return impl_->probe.sensors(); }

}  // namespace kenning
