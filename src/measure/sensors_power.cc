// SPDX-License-Identifier: Apache-2.0
// Power and energy: powercap (RAPL), hwmon, IIO and power supplies.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "measure/sensor_sources.h"

namespace kenning {
namespace {

constexpr double kMostWatts = 1e5;
constexpr double kColdest = -273.15;
constexpr double kHottest = 1000;
// Intel's manual (volume 3, "RAPL interfaces"): the unit is 2^-14 J unless the processor says
// another, renewed about every millisecond. AMD's unit is finer.
constexpr double kRaplStepJ = 1.0 / 16384;
constexpr double kRaplRefreshS = 1e-3;

/// An energy file in microjoules.
void AddEnergyFile(SourceList& list, Sensor sensor, const std::filesystem::path& path,
                   double range_uj) {
  auto file = std::make_shared<KeptFile>(list.Open(path));
  if (!file->is_open()) {
    return list.AddMissing(std::move(sensor), list.WhyNot(path, file->error()));
  }
  if (std::isnan(file->Number())) {
    return list.AddMissing(std::move(sensor), fmt::format("{} holds no number", list.Shown(path)));
  }
  auto counter = std::make_shared<EnergyCounter>(range_uj);
  counter->Update(file->Number());
  list.Add(std::move(sensor), [file, counter] { return counter->Update(file->Number()); });
}

/// current x voltage in base units; the two are read one right after the other.
void AddProduct(SourceList& list, Sensor sensor, const std::filesystem::path& current,
                const std::filesystem::path& voltage, double factor) {
  auto amperes = std::make_shared<KeptFile>(list.Open(current));
  auto volts = std::make_shared<KeptFile>(list.Open(voltage));
  for (const auto& [file, path] : {std::pair{amperes, current}, std::pair{volts, voltage}}) {
    if (!file->is_open()) {
      return list.AddMissing(std::move(sensor), list.WhyNot(path, file->error()));
    }
  }
  list.Add(std::move(sensor), [amperes, volts, factor] {
    const double watts = std::abs(amperes->Number() * volts->Number() * factor);
    return watts < kMostWatts ? watts : kNoValue;
  });
}

/// "energy1_input" -> 1; 0 where the middle is no number.
int IndexOf(const std::string& name, std::string_view prefix, std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return 0;
  if (name.size() <= prefix.size() + suffix.size()) return 0;
  const std::string middle =
      name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  if (middle.size() > 3 || middle.find_first_not_of("0123456789") != std::string::npos) return 0;
  return std::stoi(middle);
}

/// One chip below /sys/class/hwmon.
class Chip {
 public:
  Chip(SourceList& list, std::filesystem::path folder)
      : list_(list), folder_(std::move(folder)), name_(ShortText(folder_ / "name")) {
    if (name_.empty()) name_ = folder_.filename().string();
    const double interval_ms = KeptFile(folder_ / "update_interval").Number();
    if (interval_ms > 0 && interval_ms < 1e6) refresh_s_ = interval_ms * 1e-3;
  }

  const std::string& name() const { return name_; }

  void AddTemperatures() {
    for (const int i : Indices("temp", "_input")) {
      list_.AddFile({Named("temp", i), SensorKind::kTemperature, "hwmon", "", 0.001, refresh_s_},
                    File("temp", i, "_input"), 1e-3, kColdest, kHottest);
    }
  }

  void AddPower() {
    const std::vector<int> energies = Indices("energy", "_input");
    for (const int i : energies) {
      AddEnergyFile(list_, {Named("energy", i), SensorKind::kEnergy, "hwmon", "", 1e-6, refresh_s_},
                    File("energy", i, "_input"), 0);
    }
    std::vector<int> powers = Indices("power", "_input");
    const char* suffix = "_input";
    if (powers.empty()) {
      powers = Indices("power", "_average");
      suffix = "_average";
    }
    for (const int i : powers) {
      list_.AddFile({Named("power", i), SensorKind::kPower, "hwmon", "", 1e-6, refresh_s_},
                    File("power", i, suffix), 1e-6, 0, kMostWatts);
    }
    if (powers.empty() && energies.empty()) AddProducts();
  }

  /// The Raspberry Pi's firmware tells under-voltage here, too.
  void AddAlarms() {
    if (name_ != "rpi_volt" || !list_.Exists(folder_ / "in0_lcrit_alarm")) return;
    list_.AddFile({"under-voltage", SensorKind::kThrottleState, "hwmon", "", 1, refresh_s_},
                  folder_ / "in0_lcrit_alarm", 1, 0, 1);
  }

 private:
  std::filesystem::path File(const char* prefix, int index, const char* suffix) const {
    return folder_ / fmt::format("{}{}{}", prefix, index, suffix);
  }

  std::vector<int> Indices(const char* prefix, const char* suffix) const {
    std::vector<int> indices;
    for (const std::string& name : NamesIn(folder_, prefix)) {
      if (const int index = IndexOf(name, prefix, suffix); index > 0) indices.push_back(index);
    }
    return indices;
  }

  std::string Named(const char* prefix, int index) const {
    const std::string label = ShortText(File(prefix, index, "_label"));
    if (!label.empty()) return fmt::format("{} {}", name_, label);
    return fmt::format("{} {}{}", name_, prefix, index);
  }

  /// Chips of the INA family that tell current and voltage of each rail. On others the two need
  /// not belong together, unless their labels say so.
  void AddProducts() {
    for (const int i : Indices("curr", "_input")) {
      const std::filesystem::path voltage = File("in", i, "_input");
      if (!list_.Exists(voltage)) continue;
      const std::string rail = ShortText(File("in", i, "_label"));
      const bool together = name_.starts_with("ina") ||
                            (!rail.empty() && rail == ShortText(File("curr", i, "_label")));
      // Inputs that only sum others up.
      if (!together || rail == "sum of shunt voltages") continue;
      AddProduct(list_,
                 {rail.empty() ? fmt::format("{} rail{}", name_, i) : rail, SensorKind::kPower,
                  "hwmon current x voltage", "", 0, refresh_s_},
                 File("curr", i, "_input"), voltage, 1e-6);
    }
  }

  SourceList& list_;
  std::filesystem::path folder_;
  std::string name_;
  double refresh_s_ = 0;
};

std::string Underscored(std::string text) {
  std::ranges::replace(text, '-', '_');
  return text;
}

}  // namespace

void AddPowercap(SourceList& list) {
  const std::filesystem::path folder = list.Path("sys/class/powercap");
  std::vector<std::string> names_seen;
  std::vector<std::string> zones = NamesIn(folder, "");
  // Laptops show the same counter through memory-mapped registers, too: those come last.
  std::ranges::stable_partition(
      zones, [](const std::string& zone) { return zone.find("mmio") == std::string::npos; });
  for (const std::string& zone : zones) {
    const std::filesystem::path path = folder / zone / "energy_uj";
    if (!list.Exists(path)) continue;
    std::string name = ShortText(folder / zone / "name");
    // "intel-rapl:1:0" is a part of "intel-rapl:1".
    const std::size_t last = zone.rfind(':');
    if (last != std::string::npos && last != zone.find(':')) {
      name = ShortText(folder / zone.substr(0, last) / "name") + " " + name;
    }
    if (std::ranges::find(names_seen, name) != names_seen.end()) continue;
    names_seen.push_back(name);
    const double range = KeptFile(folder / zone / "max_energy_range_uj").Number();
    AddEnergyFile(list, {name, SensorKind::kEnergy, "powercap", "", kRaplStepJ, kRaplRefreshS},
                  path, range > 0 ? range : 0);
  }
}

void AddHwmon(SourceList& list) {
  const std::filesystem::path folder = list.Path("sys/class/hwmon");
  std::vector<std::string> zones;
  for (const Sensor& sensor : list.sensors) {
    if (sensor.source == "thermal zone") zones.push_back(Underscored(sensor.name));
  }
  for (const std::string& name : NamesIn(folder, "hwmon")) {
    Chip chip(list, folder / name);
    // The kernel shows thermal zones here once more.
    if (std::ranges::find(zones, Underscored(chip.name())) == zones.end()) chip.AddTemperatures();
    chip.AddPower();
    chip.AddAlarms();
  }
}

void AddIio(SourceList& list) {
  const std::filesystem::path folder = list.Path("sys/bus/iio/devices");
  for (const std::string& device : NamesIn(folder, "iio:device")) {
    const std::filesystem::path path = folder / device;
    const std::string chip = ShortText(path / "name");
    if (!chip.starts_with("ina")) continue;
    // IIO's unit of power is the milliwatt. NVIDIA's driver of the INA3221 gives it ready-made and
    // names the rails; the kernel's own gives raw counts and a scale.
    for (const std::string& name : NamesIn(path, "in_power")) {
      const bool ready = name.ends_with("_input");
      if (!ready && !name.ends_with("_raw")) continue;
      const std::string index = name.substr(8, name.rfind('_') - 8);
      std::string rail = ShortText(path / ("rail_name_" + index));
      if (rail.empty()) rail = fmt::format("{} power{}", chip, index);
      double milliwatts = 1;
      if (!ready) {
        milliwatts = KeptFile(path / fmt::format("in_power{}_scale", index)).Number();
        if (!(milliwatts > 0)) continue;
      }
      list.AddFile({rail, SensorKind::kPower, "iio", "", milliwatts * 1e-3, 0}, path / name,
                   milliwatts * 1e-3, 0, kMostWatts);
    }
  }
}

void AddPowerSupplies(SourceList& list) {
  const std::filesystem::path folder = list.Path("sys/class/power_supply");
  for (const std::string& name : NamesIn(folder, "")) {
    const std::filesystem::path path = folder / name;
    Sensor sensor{name, SensorKind::kPower, "power supply", "", 0, 0};
    const std::size_t before = list.sensors.size();
    if (list.Exists(path / "power_now")) {
      auto power = std::make_shared<KeptFile>(list.Open(path / "power_now"));
      if (power->is_open()) {
        list.Add(sensor, [power] {
          const double watts = std::abs(power->Number()) * 1e-6;
          return watts < kMostWatts ? watts : kNoValue;
        });
      }
    } else if (list.Exists(path / "current_now") && list.Exists(path / "voltage_now")) {
      AddProduct(list, sensor, path / "current_now", path / "voltage_now", 1e-12);
    }
    if (list.sensors.size() == before || !list.reads.back()) continue;
    if (ShortText(path / "type") != "Battery") continue;
    // While it charges, a battery's power is not what the machine draws.
    auto status = std::make_shared<KeptFile>(list.Open(path / "status"));
    list.reads.back() = [status, read = list.reads.back()] {
      std::array<char, 32> buffer;
      return status->Read(buffer).starts_with("Discharging") ? read() : kNoValue;
    };
  }
}

}  // namespace kenning
