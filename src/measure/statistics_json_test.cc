// SPDX-License-Identifier: Apache-2.0
#include "measure/statistics_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace kenning {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TargetStatistics Sample() {
  TargetStatistics statistics;
  statistics.sensors = {
      {"package-0", SensorKind::kEnergy, "powercap", "", 6e-5, 1e-3},
      {"gpu0 X", SensorKind::kUtilization, "nvml", "", 1, 0.1},
      {"dram", SensorKind::kEnergy, "powercap", "no permission to read /sys/x", 0, 0},
      {"gpu0 X", SensorKind::kMemory, "nvml", "", 0, 0}};
  for (int i = 0; i < 2; ++i) {
    SystemReading reading;
    reading.time_ns = 1'500'000'000 + i * 100'000'000;
    reading.cpu_percent = {100, static_cast<float>(i)};
    reading.memory_percent = 7.5F;
    reading.memory_used_bytes = 600;
    reading.process_resident_bytes = 11;
    reading.session_resident_bytes = 12;
    reading.frequency_mhz = 1500;
    reading.temperature_c = 41.5F;
    reading.values = {i * 0.25, 30.0 + i, std::numeric_limits<double>::quiet_NaN(), 12.5};
    statistics.readings.push_back(reading);
  }
  statistics.memory_total_bytes = 8000;
  statistics.process_peak_resident_bytes = 20;
  statistics.session_peak_resident_bytes = 21;
  return statistics;
}

TEST(KenningStatisticsTest, HasKenningsKeysAndNoOthers) {
  TargetStatistics statistics = Sample();
  statistics.sensors.clear();
  for (SystemReading& reading : statistics.readings) reading.values.clear();
  // As Kenning's own server answers, but for the numbers.
  EXPECT_EQ(json::parse(KenningStatisticsJson(statistics)), json::parse(R"({
    "session_utilization_cpus_percent": [[100.0, 0.0], [100.0, 1.0]],
    "session_utilization_mem_percent": [7.5, 7.5],
    "session_utilization_timestamp": [1.5, 1.6]})"));
  EXPECT_EQ(KenningStatisticsJson({}),
            R"({"session_utilization_cpus_percent":[],"session_utilization_mem_percent":[],)"
            R"("session_utilization_timestamp":[]})");
}

TEST(KenningStatisticsTest, GpuKeysWhereThereIsAGpu) {
  const json out = json::parse(KenningStatisticsJson(Sample()));
  EXPECT_EQ(out["session_utilization_gpu_utilization"], (json{30.0, 31.0}));
  EXPECT_EQ(out["session_utilization_gpu_mem_utilization"], (json{12.5, 12.5}));
  EXPECT_EQ(out["session_utilization_gpu_timestamp"], (json{1.5, 1.6}));
}

TEST(TargetStatisticsTest, RoundTrip) {
  const TargetStatistics sample = Sample();
  const auto read = ParseTargetStatistics(TargetStatisticsJson(sample));
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->sensors, sample.sensors);
  EXPECT_EQ(read->memory_total_bytes, 8000U);
  EXPECT_EQ(read->process_peak_resident_bytes, 20U);
  EXPECT_EQ(read->session_peak_resident_bytes, 21U);
  ASSERT_EQ(read->readings.size(), 2U);
  const SystemReading& reading = read->readings[1];
  EXPECT_EQ(reading.time_ns, 1'600'000'000);
  EXPECT_EQ(reading.cpu_percent, sample.readings[1].cpu_percent);
  EXPECT_EQ(reading.memory_percent, 7.5F);
  EXPECT_EQ(reading.memory_used_bytes, 600U);
  EXPECT_EQ(reading.process_resident_bytes, 11U);
  EXPECT_EQ(reading.session_resident_bytes, 12U);
  EXPECT_EQ(reading.frequency_mhz, 1500);
  EXPECT_EQ(reading.temperature_c, 41.5F);
  ASSERT_EQ(reading.values.size(), 4U);
  EXPECT_EQ(reading.values[0], 0.25);
  EXPECT_TRUE(std::isnan(reading.values[2]));
}

TEST(TargetStatisticsTest, WhatThisMachineSaysIsRead) {
  SystemSampler sampler;
  sampler.Start(1);
  const TargetStatistics statistics = sampler.Statistics();
  const auto read = ParseTargetStatistics(TargetStatisticsJson(statistics));
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->sensors, statistics.sensors);
  EXPECT_EQ(read->readings.size(), statistics.readings.size());
}

TEST(TargetStatisticsTest, SensorsOfALaterVersionAreLeftOut) {
  json file = json::parse(TargetStatisticsJson(Sample()));
  file["sensors"][1]["kind"] = "humidity";
  file["something_new"] = 1;
  const auto read = ParseTargetStatistics(file.dump());
  ASSERT_TRUE(read) << read.error().ToString();
  ASSERT_EQ(read->sensors.size(), 3U);
  EXPECT_EQ(read->sensors[2].kind, SensorKind::kMemory);
  ASSERT_EQ(read->readings[0].values.size(), 3U);
  EXPECT_EQ(read->readings[0].values[2], 12.5);
}

TEST(TargetStatisticsTest, HostileTextIsRefused) {
  const json good = json::parse(TargetStatisticsJson(Sample()));
  const auto with = [&good](const char* pointer, const json& value) {
    json bad = good;
    bad[json::json_pointer(pointer)] = value;
    return bad.dump();
  };
  for (const std::string& text : {std::string(),
                                  std::string("{"),
                                  std::string("[]"),
                                  std::string("null"),
                                  std::string(100'000, '['),
                                  std::string("\xff\xfe"),
                                  with("/format_version", 2),
                                  with("/format_version", "1"),
                                  with("/sensors", 3),
                                  with("/sensors/0", 3),
                                  with("/sensors/0/name", std::string(10'000, 'a')),
                                  with("/sensors/0/resolution", -1),
                                  with("/memory_total_bytes", -1),
                                  with("/memory_total_bytes", 1.5),
                                  with("/readings", 1),
                                  with("/readings/time_ns", json::array()),
                                  with("/readings/time_ns/0", 1.5),
                                  with("/readings/time_ns/0", std::uint64_t{1} << 63),
                                  with("/readings/values/0", {1, 2}),
                                  with("/readings/values/0/0", "x"),
                                  with("/readings/cpu_percent/0", 5),
                                  with("/readings/cpu_percent/0/0", "x"),
                                  with("/readings/memory_percent/0", json::object()),
                                  with("/readings/process_resident_bytes/0", -5)}) {
    const auto read = ParseTargetStatistics(text);
    ASSERT_FALSE(read) << text.substr(0, 200);
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(read.error().message(), HasSubstr("the target's statistics"));
  }
  for (const char* key : {"sensors", "readings", "format_version", "memory_total_bytes"}) {
    json bad = good;
    bad.erase(key);
    EXPECT_FALSE(ParseTargetStatistics(bad.dump())) << key;
  }
  // Every prefix is refused, and none crashes.
  const std::string text = good.dump();
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(ParseTargetStatistics(text.substr(0, size)));
  }
}

}  // namespace
}  // namespace kenning
