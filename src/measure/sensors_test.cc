// SPDX-License-Identifier: Apache-2.0
#include "measure/sensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <optional>

#include "measure/kept_file.h"
#include "measure/testing_machine.h"

namespace kenning {
namespace {

using testing::HasSubstr;
using testing_machine::Machine;

SensorOptions On(const Machine& machine) {
  SensorOptions options;
  options.root = machine.root();
  options.nvml_library = "";
  return options;
}

/// The index of a sensor; fails the test where it is not there.
std::size_t IndexOf(const SensorSet& set, const std::string& name, SensorKind kind) {
  for (std::size_t i = 0; i < set.sensors().size(); ++i) {
    if (set.sensors()[i].name == name && set.sensors()[i].kind == kind) return i;
  }
  ADD_FAILURE() << "no sensor " << name;
  return 0;
}

std::vector<double> ReadAll(SensorSet& set) {
  std::vector<double> values(set.sensors().size());
  set.Read(values);
  return values;
}

double Value(SensorSet& set, const std::string& name, SensorKind kind) {
  return ReadAll(set)[IndexOf(set, name, kind)];
}

std::size_t CountOf(const SensorSet& set, SensorKind kind) {
  return static_cast<std::size_t>(std::ranges::count_if(
      set.sensors(), [kind](const Sensor& sensor) { return sensor.kind == kind; }));
}

void AddCore(const Machine& machine, int core, int khz) {
  const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(core);
  machine.Write(folder + "/cpufreq/scaling_cur_freq", std::to_string(khz) + "\n");
}

TEST(KeptFileTest, NumbersOfAllSpellings) {
  EXPECT_EQ(NumberIn("42000\n"), 42000);
  EXPECT_EQ(NumberIn("  -7"), -7);
  EXPECT_EQ(NumberIn("0x50005\n"), 0x50005);
  EXPECT_EQ(NumberIn("2.5"), 2.5);
  for (const char* text : {"", "\n", "abc", "0x", "nan", "inf", "1e999"}) {
    EXPECT_TRUE(std::isnan(NumberIn(text))) << text;
  }
}

TEST(KeptFileTest, NamesInNaturalOrder) {
  const Machine machine;
  for (const char* name : {"zone10", "zone2", "zone1", "other", "zone2b"}) {
    machine.Write(std::string("d/") + name, "");
  }
  EXPECT_THAT(NamesIn(machine.root() / "d", "zone"),
              testing::ElementsAre("zone1", "zone2", "zone2b", "zone10"));
  EXPECT_TRUE(NamesIn(machine.root() / "nowhere", "").empty());
}

TEST(SensorsTest, RaspberryPi4) {
  const Machine machine;
  machine.Write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n");
  machine.Write("sys/class/thermal/thermal_zone0/temp", "48251\n");
  // The kernel shows the same zone as a hwmon chip.
  machine.Write("sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
  machine.Write("sys/class/hwmon/hwmon0/temp1_input", "48251\n");
  machine.Write("sys/class/hwmon/hwmon1/name", "rpi_volt\n");
  machine.Write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
  machine.Write("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n");
  for (int core = 0; core < 4; ++core) AddCore(machine, core, 1500000);
  machine.Write("sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", "1500000\n");
  machine.Write("sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "600000\n");
  SensorSet set(On(machine));
  EXPECT_EQ(CountOf(set, SensorKind::kTemperature), 1U);
  EXPECT_NEAR(Value(set, "cpu-thermal", SensorKind::kTemperature), 48.251, 1e-9);
  EXPECT_EQ(Value(set, "under-voltage", SensorKind::kThrottleState), 1);
  EXPECT_EQ(Value(set, "raspberry-pi", SensorKind::kThrottleState), 0x50005);
  EXPECT_EQ(Value(set, "cpu", SensorKind::kFrequencyLimit), 40);
  EXPECT_EQ(CountOf(set, SensorKind::kFrequency), 4U);
  EXPECT_EQ(Value(set, "cpu3", SensorKind::kFrequency), 1500);
  const Sensor& energy = set.sensors()[IndexOf(set, "energy", SensorKind::kEnergy)];
  EXPECT_THAT(energy.unavailable, HasSubstr("no RAPL"));
}

TEST(SensorsTest, JetsonWithIna3221) {
  const Machine machine;
  machine.Write("sys/class/hwmon/hwmon3/name", "ina3221\n");
  machine.Write("sys/class/hwmon/hwmon3/update_interval", "100\n");
  const char* rails[] = {"VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"};
  for (int i = 1; i <= 3; ++i) {
    const std::string index = std::to_string(i);
    machine.Write("sys/class/hwmon/hwmon3/in" + index + "_label", rails[i - 1]);
    machine.Write("sys/class/hwmon/hwmon3/in" + index + "_input", "5000\n");
    machine.Write("sys/class/hwmon/hwmon3/curr" + index + "_input", std::to_string(i * 400) + "\n");
  }
  machine.Write("sys/class/hwmon/hwmon3/in7_label", "sum of shunt voltages");
  machine.Write("sys/class/hwmon/hwmon3/in7_input", "1\n");
  SensorSet set(On(machine));
  EXPECT_EQ(CountOf(set, SensorKind::kPower), 3U);
  EXPECT_NEAR(Value(set, "VDD_IN", SensorKind::kPower), 2.0, 1e-12);
  EXPECT_NEAR(Value(set, "VDD_SOC", SensorKind::kPower), 6.0, 1e-12);
  const Sensor& rail = set.sensors()[IndexOf(set, "VDD_IN", SensorKind::kPower)];
  EXPECT_EQ(rail.refresh_s, 0.1);
  EXPECT_EQ(rail.source, "hwmon current x voltage");
}

TEST(SensorsTest, JetsonWithNvidiasIioDriver) {
  const Machine machine;
  const std::string folder = "sys/bus/iio/devices/iio:device0/";
  machine.Write(folder + "name", "ina3221x\n");
  machine.Write(folder + "rail_name_0", "POM_5V_IN\n");
  machine.Write(folder + "in_power0_input", "2345\n");
  const std::string other = "sys/bus/iio/devices/iio:device1/";
  machine.Write(other + "name", "ina226\n");
  machine.Write(other + "in_power2_raw", "200\n");
  machine.Write(other + "in_power2_scale", "2.5\n");
  SensorSet set(On(machine));
  EXPECT_NEAR(Value(set, "POM_5V_IN", SensorKind::kPower), 2.345, 1e-12);
  EXPECT_NEAR(Value(set, "ina226 power2", SensorKind::kPower), 0.5, 1e-12);
}

void AddZone(const Machine& machine, const std::string& zone, const std::string& name,
             const std::string& energy) {
  machine.Write("sys/class/powercap/" + zone + "/name", name + "\n");
  machine.Write("sys/class/powercap/" + zone + "/max_energy_range_uj", "262143328850\n");
  machine.Write("sys/class/powercap/" + zone + "/energy_uj", energy + "\n");
}

TEST(SensorsTest, IntelLaptopWithRaplAndItsWrapAround) {
  const Machine machine;
  AddZone(machine, "intel-rapl:0", "package-0", "262143000000");
  AddZone(machine, "intel-rapl:0:0", "core", "1000");
  AddZone(machine, "intel-rapl:0:2", "dram", "0");
  AddZone(machine, "intel-rapl-mmio:0", "package-0", "5");
  machine.Write("sys/class/power_supply/BAT0/type", "Battery\n");
  machine.Write("sys/class/power_supply/BAT0/status", "Discharging\n");
  machine.Write("sys/class/power_supply/BAT0/power_now", "8400000\n");
  machine.Write("sys/class/power_supply/ucsi/type", "USB\n");
  machine.Write("sys/class/power_supply/ucsi/current_now", "3000000\n");
  machine.Write("sys/class/power_supply/ucsi/voltage_now", "5000000\n");
  for (int core = 0; core < 2; ++core) {
    const std::string folder = "sys/devices/system/cpu/cpu" + std::to_string(core) + "/";
    machine.Write(folder + "thermal_throttle/core_throttle_count", "3\n");
    machine.Write(folder + "thermal_throttle/package_throttle_count", "7\n");
    machine.Write(folder + "topology/physical_package_id", "0\n");
  }
  SensorSet set(On(machine));
  EXPECT_EQ(CountOf(set, SensorKind::kEnergy), 3U);
  EXPECT_EQ(Value(set, "package-0", SensorKind::kEnergy), 0);
  EXPECT_EQ(Value(set, "cores", SensorKind::kThrottleEvents), 6);
  EXPECT_EQ(Value(set, "packages", SensorKind::kThrottleEvents), 7);
  AddZone(machine, "intel-rapl:0", "package-0", "671150");
  AddZone(machine, "intel-rapl:0:2", "dram", "250000");
  EXPECT_NEAR(Value(set, "package-0", SensorKind::kEnergy), 1.0, 1e-9);
  EXPECT_NEAR(Value(set, "package-0 dram", SensorKind::kEnergy), 0.25, 1e-9);
  EXPECT_NEAR(Value(set, "BAT0", SensorKind::kPower), 8.4, 1e-9);
  EXPECT_NEAR(Value(set, "ucsi", SensorKind::kPower), 15, 1e-9);
  machine.Write("sys/class/power_supply/BAT0/status", "Charging\n");
  EXPECT_TRUE(std::isnan(Value(set, "BAT0", SensorKind::kPower)));
}

TEST(SensorsTest, AmdServer) {
  const Machine machine;
  AddZone(machine, "intel-rapl:0", "package-0", "5000000");
  AddZone(machine, "intel-rapl:1", "package-1", "6000000");
  AddZone(machine, "intel-rapl:1:0", "core", "10");
  machine.Write("sys/class/hwmon/hwmon0/name", "k10temp\n");
  machine.Write("sys/class/hwmon/hwmon0/temp1_label", "Tctl\n");
  machine.Write("sys/class/hwmon/hwmon0/temp1_input", "61250\n");
  machine.Write("sys/class/hwmon/hwmon1/name", "amd_energy\n");
  machine.Write("sys/class/hwmon/hwmon1/energy1_label", "Esocket0\n");
  machine.Write("sys/class/hwmon/hwmon1/energy1_input", "1000000\n");
  machine.Write("sys/class/hwmon/hwmon2/name", "power_meter\n");
  machine.Write("sys/class/hwmon/hwmon2/power1_average", "215000000\n");
  for (int core = 0; core < 30; ++core) AddCore(machine, core, 3700000);
  // More cores than files may be open.
  SensorOptions options = On(machine);
  options.most_files = 20;
  SensorSet set(options);
  EXPECT_NEAR(Value(set, "k10temp Tctl", SensorKind::kTemperature), 61.25, 1e-9);
  EXPECT_NEAR(Value(set, "power_meter power1", SensorKind::kPower), 215, 1e-9);
  EXPECT_EQ(Value(set, "amd_energy Esocket0", SensorKind::kEnergy), 0);
  EXPECT_EQ(Value(set, "package-1 core", SensorKind::kEnergy), 0);
  EXPECT_EQ(CountOf(set, SensorKind::kFrequency), 20U - 6 + 1);
  const Sensor& more = set.sensors()[IndexOf(set, "further cores", SensorKind::kFrequency)];
  EXPECT_THAT(more.unavailable, HasSubstr("16 more cores are not read"));
}

TEST(SensorsTest, AMachineThatShowsNothing) {
  const Machine machine;
  SensorSet set(On(machine));
  for (const Sensor& sensor : set.sensors()) {
    EXPECT_FALSE(sensor.unavailable.empty()) << sensor.name;
  }
  EXPECT_EQ(set.sensors().size(), 4U);  // Temperature, throttling, energy, frequency.
  for (const double value : ReadAll(set)) EXPECT_TRUE(std::isnan(value));
}

TEST(SensorsTest, FrequenciesOfCpuInfo) {
  const Machine machine;
  machine.Write("proc/cpuinfo",
                "processor\t: 0\ncpu MHz\t\t: 2596.122\n\nprocessor\t: 1\ncpu MHz\t\t: 800.000\n");
  SensorSet set(On(machine));
  EXPECT_EQ(Value(set, "cpu0", SensorKind::kFrequency), 2596.122);
  EXPECT_EQ(Value(set, "cpu1", SensorKind::kFrequency), 800);
}

TEST(SensorsTest, GarbageAndFilesThatVanish) {
  const Machine machine;
  machine.Write("sys/class/thermal/thermal_zone0/type", std::string("bad\x01\xff name\n", 11));
  machine.Write("sys/class/thermal/thermal_zone0/temp", "hot\n");
  machine.Write("sys/class/thermal/thermal_zone1/type", "good\n");
  machine.Write("sys/class/thermal/thermal_zone1/temp", "40000\n");
  machine.Write("sys/class/thermal/thermal_zone2/temp", "-999999999\n");
  machine.Write("sys/class/hwmon/hwmon0/name", std::string(5000, 'x'));
  machine.Write("sys/class/hwmon/hwmon0/temp99999_input", "1\n");
  machine.Write("sys/class/hwmon/hwmon0/power_input", "1\n");
  machine.Write("sys/class/hwmon/hwmon0/power1_input", "99999999999999999999\n");
  std::filesystem::create_directories(machine.root() / "sys/class/hwmon/hwmon1/temp1_input");
  AddZone(machine, "intel-rapl:0", "package-0", "7");
  AddZone(machine, "intel-rapl:1", "package-1", "what");
  SensorSet set(On(machine));
  const Sensor& bad = set.sensors()[IndexOf(set, "bad?? name", SensorKind::kTemperature)];
  EXPECT_EQ(bad.unavailable, "/sys/class/thermal/thermal_zone0/temp holds no number");
  EXPECT_TRUE(std::isnan(Value(set, "thermal_zone2", SensorKind::kTemperature)));
  EXPECT_EQ(Value(set, "good", SensorKind::kTemperature), 40);
  EXPECT_EQ(Value(set, "package-0", SensorKind::kEnergy), 0);
  // Gone while it was open, and back.
  machine.Write("sys/class/thermal/thermal_zone1/temp", "");
  EXPECT_TRUE(std::isnan(Value(set, "good", SensorKind::kTemperature)));
  machine.Write("sys/class/thermal/thermal_zone1/temp", "41000\n");
  EXPECT_EQ(Value(set, "good", SensorKind::kTemperature), 41);
  machine.Write("sys/class/powercap/intel-rapl:0/energy_uj", "999999999999999\n");
  EXPECT_TRUE(std::isnan(Value(set, "package-0", SensorKind::kEnergy)));
  machine.Write("sys/class/powercap/intel-rapl:0/energy_uj", "2000007\n");
  EXPECT_NEAR(Value(set, "package-0", SensorKind::kEnergy), 2, 1e-9);
}

TEST(SensorsTest, AFileThatOnlyRootMayReadIsNamed) {
  const Machine machine;
  AddZone(machine, "intel-rapl:0", "package-0", "7");
  const auto file = machine.root() / "sys/class/powercap/intel-rapl:0/energy_uj";
  std::filesystem::permissions(file, std::filesystem::perms::owner_write);
  const bool root = ::geteuid() == 0;
  ASSERT_EQ(::seteuid(root ? 65534 : ::geteuid()), 0);
  std::optional<SensorSet> set;
  set.emplace(On(machine));
  ASSERT_EQ(::seteuid(root ? 0 : ::geteuid()), 0);
  const Sensor& sensor = set->sensors()[IndexOf(*set, "package-0", SensorKind::kEnergy)];
  EXPECT_THAT(sensor.unavailable, HasSubstr("no permission"));
  EXPECT_THAT(sensor.unavailable,
              HasSubstr("chmod a+r /sys/class/powercap/intel-rapl:0/energy_uj"));
}

TEST(SensorsTest, WithoutNvmlTheReasonIsGiven) {
  const Machine machine;
  SensorOptions options = On(machine);
  options.nvml_library = "libnvidia-ml-that-is-not-here.so.1";
  SensorSet set(options);
  const Sensor& gpu = set.sensors()[IndexOf(set, "gpu", SensorKind::kUtilization)];
  EXPECT_THAT(gpu.unavailable, HasSubstr("is not installed"));
}

TEST(SensorsTest, NvidiaGpusThroughTheirLibrary) {
  const Machine machine;
  SensorOptions options = On(machine);
  options.nvml_library = KENNING_FAKE_NVML;
  SensorSet set(options);
  EXPECT_EQ(Value(set, "gpu0 First", SensorKind::kUtilization), 42);
  EXPECT_EQ(Value(set, "gpu0 First", SensorKind::kMemory), 25);
  EXPECT_EQ(Value(set, "gpu0 First", SensorKind::kTemperature), 55);
  EXPECT_NEAR(Value(set, "gpu0 First", SensorKind::kPower), 70.5, 1e-9);
  const double before = Value(set, "gpu0 First", SensorKind::kEnergy);
  EXPECT_NEAR(Value(set, "gpu0 First", SensorKind::kEnergy) - before, 2 * 1.5, 2);
  EXPECT_EQ(Value(set, "gpu1 Second", SensorKind::kUtilization), 0);
  const Sensor& power = set.sensors()[IndexOf(set, "gpu1 Second", SensorKind::kPower)];
  EXPECT_EQ(power.unavailable, "Not Supported");
  ::setenv("KENNING_TEST_NVML", "broken", 1);
  const SensorSet broken(options);
  ::unsetenv("KENNING_TEST_NVML");
  const Sensor& none = broken.sensors()[IndexOf(broken, "gpu", SensorKind::kUtilization)];
  EXPECT_THAT(none.unavailable, HasSubstr("Driver Not Loaded"));
}

TEST(SensorsTest, ThisMachineIsReadWithoutHarm) {
  SensorSet set;
  EXPECT_FALSE(set.sensors().empty());
  ReadAll(set);
}

TEST(EnergyCounterTest, TotalsStepsAndTurns) {
  EnergyCounter counter(1000);
  EXPECT_EQ(counter.Update(900), 0);
  EXPECT_NEAR(counter.Update(100), 200e-6, 1e-15);
  EXPECT_NEAR(counter.Update(100), 200e-6, 1e-15);
  EXPECT_TRUE(std::isnan(counter.Update(1001)));
  EXPECT_TRUE(std::isnan(counter.Update(std::nan(""))));
  EXPECT_NEAR(counter.Update(150), 250e-6, 1e-15);
  EnergyCounter endless(0);
  EXPECT_EQ(endless.Update(5e6), 0);
  EXPECT_NEAR(endless.Update(6e6), 1, 1e-12);
  EXPECT_TRUE(std::isnan(endless.Update(1e6)));
  EXPECT_TRUE(std::isnan(endless.Update(9e6)));
}

}  // namespace
}  // namespace kenning
