// SPDX-License-Identifier: Apache-2.0
#include "measure/environment.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "kenning/base/clock.h"
#include "measure/sampler.h"

namespace kenning {
namespace {

TEST(EnvironmentTest, DescribesThisMachine) {
  const PlatformInfo host = DescribeHost();
  EXPECT_GE(host.logical_cores, 1U);
  EXPECT_GT(host.memory_bytes, 1U << 20);
  EXPECT_FALSE(host.architecture.empty());
  EXPECT_NE(host.kernel.find("Linux"), std::string::npos);
  const Environment environment = CaptureEnvironment(host);
  EXPECT_FALSE(environment.kenning_version.empty());
  EXPECT_EQ(environment.started_at.size(), 20U);
}

TEST(EnvironmentTest, ABusyMachineIsAReasonToDistrust) {
  PlatformInfo platform = DescribeHost();
  platform.logical_cores = 1;
  Environment environment = CaptureEnvironment(platform);
  const bool warned = !environment.warnings.empty();
  EXPECT_EQ(warned, environment.load_average_1min > 0.5F || environment.governor == "powersave" ||
                        environment.governor == "ondemand" ||
                        environment.governor == "conservative");
}

TEST(SystemSamplerTest, ReadsAtStartStopAndBetween) {
  SystemSampler sampler;
  const std::int64_t before = MonotonicNowNs();
  sampler.Start(0.02);
  // Work on one core, so that a core must show as busy.
  volatile double sink = 0;
  while (MonotonicNowNs() - before < 300'000'000) sink = sink + 1;
  const std::vector<SystemReading> readings = sampler.Stop();
  ASSERT_GE(readings.size(), 4U);
  float busiest = 0;
  for (std::size_t i = 1; i < readings.size(); ++i) {
    EXPECT_GT(readings[i].time_ns, readings[i - 1].time_ns);
    for (const float percent : readings[i].cpu_percent) {
      EXPECT_GE(percent, 0.0F);
      EXPECT_LE(percent, 100.0F);
      busiest = std::max(busiest, percent);
    }
  }
  EXPECT_GT(busiest, 10.0F);
  EXPECT_GT(readings.back().process_resident_bytes, 1U << 20);
  EXPECT_GE(ProcessPeakResidentBytes(), readings.back().process_resident_bytes / 2);
  EXPECT_TRUE(sampler.Stop().empty());
}

}  // namespace
}  // namespace kenning
