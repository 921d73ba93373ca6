// SPDX-License-Identifier: Apache-2.0
#include "measure/sensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <initializer_list>

#include "kenning/base/check.h"
#include "measure/sensor_sources.h"

namespace kenning {

std::string_view SensorKindName(SensorKind kind) {
  switch (kind) {
    case SensorKind::kTemperature:
      return "temperature";
    case SensorKind::kFrequency:
      return "frequency";
    case SensorKind::kFrequencyLimit:
      return "frequency_limit";
    case SensorKind::kThrottleEvents:
      return "throttle_events";
    case SensorKind::kThrottleState:
      return "throttle_state";
    case SensorKind::kPower:
      return "power";
    case SensorKind::kEnergy:
      return "energy";
    case SensorKind::kUtilization:
      return "utilization";
    case SensorKind::kMemory:
      return "memory";
  }
  return "";
}

std::optional<SensorKind> SensorKindOf(std::string_view name) {
  for (int i = 0; i < kSensorKindCount; ++i) {
    const auto kind = static_cast<SensorKind>(i);
    if (SensorKindName(kind) == name) return kind;
  }
  return std::nullopt;
}

std::string_view SensorUnit(SensorKind kind) {
  switch (kind) {
    case SensorKind::kTemperature:
      return "°C";
    case SensorKind::kFrequency:
      return "MHz";
    case SensorKind::kPower:
      return "W";
    case SensorKind::kEnergy:
      return "J";
    case SensorKind::kFrequencyLimit:
    case SensorKind::kUtilization:
    case SensorKind::kMemory:
      return "%";
    case SensorKind::kThrottleEvents:
    case SensorKind::kThrottleState:
      return "";
  }
  return "";
}

std::string SourceList::Shown(const std::filesystem::path& path) const {
  return "/" + path.lexically_relative(root_).generic_string();
}

KeptFile SourceList::Open(const std::filesystem::path& path) {
  if (files_left_ <= 0) return {};
  KeptFile file(path);
  if (file.is_open()) --files_left_;
  return file;
}

bool SourceList::Exists(const std::filesystem::path& path) const {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

void SourceList::Add(Sensor sensor, std::function<double()> read) {
  sensors.push_back(std::move(sensor));
  reads.push_back(std::move(read));
}

void SourceList::AddMissing(Sensor sensor, std::string reason) {
  sensor.unavailable = std::move(reason);
  Add(std::move(sensor), {});
}

std::string SourceList::WhyNot(const std::filesystem::path& path, int error) const {
  const std::string shown = Shown(path);
  if (error == EACCES || error == EPERM) {
    return fmt::format(
        "no permission to read {0}; as root: chmod a+r {0} (until the next start), "
        "or let a udev rule give a group the right",
        shown);
  }
  if (error == 0) return fmt::format("{} was not opened: too many sensors", shown);
  return fmt::format("{}: {}", shown, std::strerror(error));
}

void SourceList::AddFile(Sensor sensor, const std::filesystem::path& path, double factor,
                         double least, double most) {
  KeptFile file = Open(path);
  if (!file.is_open()) return AddMissing(std::move(sensor), WhyNot(path, file.error()));
  if (std::isnan(file.Number())) {
    return AddMissing(std::move(sensor), fmt::format("{} holds no number", Shown(path)));
  }
  // std::function wants what can be copied.
  auto kept = std::make_shared<KeptFile>(std::move(file));
  Add(std::move(sensor), [kept, factor, least, most] {
    const double value = kept->Number() * factor;
    return value >= least && value <= most ? value : kNoValue;
  });
}

double EnergyCounter::Update(double raw_uj) {
  if (lost_ || !(raw_uj >= 0) || (range_uj_ > 0 && raw_uj > range_uj_)) return kNoValue;
  if (last_uj_ >= 0) {
    double step = raw_uj - last_uj_;
    if (step < 0) {
      if (range_uj_ <= 0) {
        lost_ = true;
        return kNoValue;
      }
      step += range_uj_;
    }
    total_uj_ += step;
  }
  last_uj_ = raw_uj;
  return total_uj_ * 1e-6;
}

namespace {

bool Has(const SourceList& list, std::initializer_list<SensorKind> kinds) {
  return std::ranges::any_of(list.sensors, [&kinds](const Sensor& sensor) {
    return std::ranges::find(kinds, sensor.kind) != kinds.end() && sensor.source != "nvml";
  });
}

/// A kind of which there is nothing at all is said, too.
void AddAbsent(SourceList& list) {
  if (!Has(list, {SensorKind::kTemperature})) {
    list.AddMissing({"temperature", SensorKind::kTemperature, "none", "", 0, 0},
                    "the kernel shows no thermal zone and no hwmon temperature (as in most virtual "
                    "machines)");
  }
  if (!Has(list, {SensorKind::kThrottleEvents, SensorKind::kThrottleState,
                  SensorKind::kFrequencyLimit})) {
    list.AddMissing({"throttling", SensorKind::kThrottleState, "none", "", 0, 0},
                    "the kernel shows no throttling counters, no cooling devices and no cpufreq");
  }
  if (!Has(list, {SensorKind::kPower, SensorKind::kEnergy})) {
    list.AddMissing({"energy", SensorKind::kEnergy, "none", "", 0, 0},
                    "the kernel shows no RAPL counters (powercap), no power sensors (hwmon, IIO) "
                    "and no battery");
  }
}

}  // namespace

struct SensorSet::Impl {
  explicit Impl(const SensorOptions& options) : list(options.root, options.most_files) {}
  SourceList list;
};

SensorSet::SensorSet(const SensorOptions& options) : impl_(std::make_unique<Impl>(options)) {
  SourceList& list = impl_->list;
  AddTemperatures(list);
  AddThrottling(list);
  AddPowercap(list);
  AddHwmon(list);
  AddIio(list);
  AddPowerSupplies(list);
  AddNvml(list, options.nvml_library);
  // Last: on a machine of many cores they may use up what files may be open.
  AddFrequencies(list);
  AddAbsent(list);
}

SensorSet::~SensorSet() = default;

const std::vector<Sensor>& SensorSet::sensors() const { return impl_->list.sensors; }

void SensorSet::Read(std::span<double> values) {
  const std::vector<std::function<double()>>& reads = impl_->list.reads;
  KENNING_CHECK(values.size() == reads.size());
  for (std::size_t i = 0; i < reads.size(); ++i) values[i] = reads[i] ? reads[i]() : kNoValue;
}

}  // namespace kenning
