// SPDX-License-Identifier: Apache-2.0
#include "measure/sampler.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <thread>

#include "measure/testing_machine.h"

namespace kenning {
namespace {

using testing_machine::Machine;

SamplerOptions On(const Machine& machine) {
  SamplerOptions options;
  options.sensors.root = machine.root();
  options.sensors.nvml_library = "";
  return options;
}

void WriteProcess(const Machine& machine, const std::string& pid, int pages, int peak_kib) {
  machine.Write("proc/" + pid + "/statm", "9999 " + std::to_string(pages) + " 3 4 0 5 0\n");
  machine.Write("proc/" + pid + "/status",
                "Name:\tx\nVmPeak:\t  1 kB\nVmHWM:\t  " + std::to_string(peak_kib) + " kB\n");
}

TEST(SystemProbeTest, CoresMemoryAndProcesses) {
  const Machine machine;
  machine.WriteStat({{100, 900}, {50, 50}});
  machine.WriteMemory(1000, 250);
  WriteProcess(machine, "self", 10, 80);
  WriteProcess(machine, "77", 20, 160);
  SamplerOptions options = On(machine);
  options.session_pid = 77;
  SystemProbe probe(options);
  machine.WriteStat({{175, 925}, {50, 150}});
  const SystemReading reading = probe.Read();
  ASSERT_EQ(reading.cpu_percent.size(), 2U);
  EXPECT_FLOAT_EQ(reading.cpu_percent[0], 75);
  EXPECT_FLOAT_EQ(reading.cpu_percent[1], 0);
  EXPECT_FLOAT_EQ(reading.memory_percent, 75);
  EXPECT_EQ(reading.memory_used_bytes, 750U * 1024);
  EXPECT_EQ(probe.memory_total_bytes(), 1000U * 1024);
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  EXPECT_EQ(reading.process_resident_bytes, 10 * page);
  EXPECT_EQ(reading.session_resident_bytes, 20 * page);
  EXPECT_EQ(probe.process_peak_bytes(), 80U * 1024);
  EXPECT_EQ(probe.session_peak_bytes(), 160U * 1024);
}

TEST(SystemProbeTest, CoresThatComeAndGoAndGarbage) {
  const Machine machine;
  machine.WriteStat({{100, 900}, {50, 50}});
  machine.WriteMemory(1000, 2000);
  SystemProbe probe(On(machine));
  machine.WriteStat({{50, 60}});  // Counts that went back.
  SystemReading reading = probe.Read();
  ASSERT_EQ(reading.cpu_percent.size(), 1U);
  EXPECT_EQ(reading.cpu_percent[0], 0);
  EXPECT_EQ(reading.memory_percent, 0);  // More available than there is.
  machine.WriteStat({{60, 60}, {10, 30}, {1, 1}});
  EXPECT_EQ(probe.Read().cpu_percent.size(), 3U);
  machine.Write("proc/stat", "cpu  \ncpux 1\ncpu0 99999999999999999999999 4\ncpu1 7\n");
  machine.Write("proc/meminfo", "MemAvailable: x\n");
  machine.Write("proc/self/statm", "what\n");
  reading = probe.Read();
  EXPECT_EQ(reading.process_resident_bytes, 0U);
  machine.Write("proc/stat", "");
  EXPECT_TRUE(probe.Read().cpu_percent.empty());
}

TEST(SystemProbeTest, MeanFrequencyAndHottestZone) {
  const Machine machine;
  machine.Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1000000\n");
  machine.Write("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2000000\n");
  machine.Write("sys/class/thermal/thermal_zone0/temp", "30000\n");
  machine.Write("sys/class/thermal/thermal_zone1/temp", "52000\n");
  SystemProbe probe(On(machine));
  const SystemReading reading = probe.Read();
  EXPECT_FLOAT_EQ(reading.frequency_mhz, 1500);
  EXPECT_FLOAT_EQ(reading.temperature_c, 52);
  EXPECT_EQ(reading.values.size(), probe.sensors().size());
}

TEST(SystemSamplerTest, KeepsNoMoreThanItMay) {
  const Machine machine;
  machine.WriteStat({{1, 1}});
  SamplerOptions options = On(machine);
  options.most_readings = 16;
  SystemSampler sampler(options);
  sampler.Start(1e-4);
  std::size_t most = 0;
  std::int64_t first_ns = 0;
  for (int i = 0; i < 200; ++i) {
    const TargetStatistics statistics = sampler.Statistics();
    most = std::max(most, statistics.readings.size());
    if (i == 0) first_ns = statistics.readings.front().time_ns;
    EXPECT_EQ(statistics.readings.front().time_ns, first_ns);
  }
  EXPECT_LE(most, 16U);
  const std::vector<SystemReading> readings = sampler.Stop();
  EXPECT_LE(readings.size(), 17U);
  for (std::size_t i = 1; i < readings.size(); ++i) {
    EXPECT_GT(readings[i].time_ns, readings[i - 1].time_ns);
  }
}

TEST(SystemSamplerTest, StatisticsWhileItRuns) {
  SystemSampler sampler;
  sampler.Start(10);
  const TargetStatistics one = sampler.Statistics();
  EXPECT_EQ(one.readings.size(), 2U);  // At the start, and now.
  EXPECT_GT(one.memory_total_bytes, 1U << 20);
  EXPECT_GT(one.process_peak_resident_bytes, 1U << 20);
  EXPECT_EQ(one.sensors, sampler.sensors());
  EXPECT_EQ(sampler.Stop().size(), 3U);
  EXPECT_TRUE(sampler.Statistics().readings.empty());
}

}  // namespace
}  // namespace kenning
