// SPDX-License-Identifier: Apache-2.0
#include "measure/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

const Sensor kRapl{"package-0", SensorKind::kEnergy, "powercap", "", 6.1e-5, 1e-3};
const Sensor kRail{"VDD_IN", SensorKind::kPower, "hwmon", "", 0, 0.1};

/// One sensor, read every tenth of a second.
std::vector<SystemReading> Readings(const std::vector<double>& values,
                                    std::int64_t step_ns = kSecond / 10) {
  std::vector<SystemReading> readings;
  for (std::size_t i = 0; i < values.size(); ++i) {
    SystemReading reading;
    reading.time_ns = 100 * kSecond + static_cast<std::int64_t>(i) * step_ns;
    reading.values = {values[i]};
    readings.push_back(reading);
  }
  return readings;
}

std::vector<double> Ramp(std::size_t count, double step) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(i) * step);
  return values;
}

EnergySummary Only(const Sensor& sensor, const std::vector<SystemReading>& readings,
                   std::int64_t from_ns, std::int64_t to_ns, std::uint64_t inferences) {
  const std::vector<Sensor> sensors = {sensor};
  const auto summaries = SummariseEnergy(sensors, readings, 100 * kSecond + from_ns,
                                         100 * kSecond + to_ns, inferences);
  EXPECT_EQ(summaries.size(), 1U);
  return summaries.empty() ? EnergySummary{} : summaries[0];
}

TEST(EnergyTest, ACounterBetweenTwoReadings) {
  // 10 W for 10 s; the span begins and ends at readings.
  const EnergySummary summary = Only(kRapl, Readings(Ramp(101, 1.0)), 0, 10 * kSecond, 1000);
  ASSERT_TRUE(summary.joules) << summary.reason;
  EXPECT_NEAR(summary.joules->value, 100, 1e-9);
  // One renewal at each end: 1 ms of 10 W.
  EXPECT_NEAR(summary.joules->uncertainty, 0.02, 1e-9);
  ASSERT_TRUE(summary.per_inference);
  EXPECT_NEAR(summary.per_inference->value, 0.1, 1e-12);
  EXPECT_NEAR(summary.per_inference->uncertainty, 2e-5, 1e-12);
  EXPECT_TRUE(summary.counter);
  EXPECT_EQ(summary.source, "powercap");
}

TEST(EnergyTest, EndsBetweenReadingsCostCertainty) {
  const EnergySummary summary =
      Only(kRapl, Readings(Ramp(101, 1.0)), kSecond / 20, 5 * kSecond + kSecond / 40, 10);
  ASSERT_TRUE(summary.joules) << summary.reason;
  EXPECT_NEAR(summary.joules->value, 49.75, 1e-9);
  EXPECT_NEAR(summary.joules->uncertainty, 0.5 + 0.25 + 0.02, 1e-9);
}

TEST(EnergyTest, ASpanThatIsTooShortHasNoNumber) {
  // Five inferences in 2 ms: the counter renews itself twice in that time.
  const EnergySummary summary =
      Only(kRapl, Readings(Ramp(10, 1.0)), kSecond / 5, kSecond / 5 + 2'000'000, 5);
  EXPECT_FALSE(summary.joules);
  EXPECT_FALSE(summary.per_inference);
  EXPECT_THAT(summary.reason, HasSubstr("package-0 is too coarse for 5 inferences in 0.002 s"));
  EXPECT_THAT(summary.reason, HasSubstr("run for at least"));
  const EnergySummary still = Only(kRapl, Readings(std::vector<double>(11, 4.0)), 0, kSecond, 5);
  EXPECT_FALSE(still.joules);
  EXPECT_THAT(still.reason, HasSubstr("showed no energy"));
}

TEST(EnergyTest, ACounterOfUnknownRenewalIsJudgedByItsSteps) {
  Sensor slow = kRapl;
  slow.refresh_s = 0;
  // Renewed once a second.
  std::vector<double> values;
  for (int i = 0; i <= 100; ++i) values.push_back(10.0 * (i / 10));
  const EnergySummary summary = Only(slow, Readings(values), 0, 10 * kSecond, 0);
  EXPECT_EQ(summary.resolution_j, 10);
  ASSERT_TRUE(summary.joules);
  EXPECT_NEAR(summary.joules->uncertainty, 20, 1e-9);
  EXPECT_FALSE(summary.per_inference);
  EXPECT_FALSE(Only(slow, Readings(values), 0, 5 * kSecond, 0).joules);
}

TEST(EnergyTest, ReadingsThatDoNotCoverTheSpan) {
  EXPECT_THAT(Only(kRapl, Readings(Ramp(11, 1)), 0, 2 * kSecond, 1).reason,
              HasSubstr("do not cover"));
  EXPECT_THAT(Only(kRapl, {}, 0, kSecond, 1).reason, HasSubstr("no readings"));
  EXPECT_THAT(Only(kRapl, Readings({kNone, kNone, kNone}), 0, kSecond / 10, 1).reason,
              HasSubstr("no readings"));
  EXPECT_THAT(Only(kRapl, Readings(Ramp(11, 1)), kSecond, kSecond, 1).reason, HasSubstr("empty"));
}

TEST(EnergyTest, PowerIsIntegratedByTrapezoids) {
  const EnergySummary steady =
      Only(kRail, Readings(std::vector<double>(101, 5.0)), 0, 10 * kSecond, 100);
  ASSERT_TRUE(steady.joules) << steady.reason;
  EXPECT_NEAR(steady.joules->value, 50, 1e-9);
  EXPECT_NEAR(steady.per_inference->value, 0.5, 1e-9);
  EXPECT_FALSE(steady.counter);
  // A ramp from 0 to 10 W over 10 s, the middle half of it.
  const EnergySummary ramp =
      Only(kRail, Readings(Ramp(101, 0.1)), 25 * kSecond / 10, 75 * kSecond / 10, 0);
  ASSERT_TRUE(ramp.joules) << ramp.reason;
  EXPECT_NEAR(ramp.joules->value, 25, 1e-9);
  EXPECT_GT(ramp.joules->uncertainty, 1);
}

TEST(EnergyTest, GapsOfPowerCountAtTheMeanAndAsUncertainty) {
  std::vector<double> values(101, 5.0);
  for (std::size_t i = 20; i < 28; ++i) values[i] = kNone;
  const EnergySummary summary = Only(kRail, Readings(values), 0, 10 * kSecond, 0);
  EXPECT_NEAR(summary.covered_s, 9.1, 1e-9);
  ASSERT_TRUE(summary.joules) << summary.reason;
  EXPECT_NEAR(summary.joules->value, 50, 1e-9);
  EXPECT_NEAR(summary.joules->uncertainty, 4.5, 1e-9);
  for (std::size_t i = 20; i < 40; ++i) values[i] = kNone;
  EXPECT_THAT(Only(kRail, Readings(values), 0, 10 * kSecond, 0).reason,
              HasSubstr("VDD_IN was read in"));
}

TEST(EnergyTest, PowerThatIsRenewedTooSeldom) {
  const EnergySummary summary =
      Only(kRail, Readings(std::vector<double>(101, 5.0), kSecond / 100), 0, kSecond / 4, 3);
  EXPECT_FALSE(summary.joules);
  EXPECT_THAT(summary.reason, HasSubstr("renewed every 0.1 s: too seldom"));
}

TEST(EnergyTest, OtherSensorsAndMissingOnesAreLeftOut) {
  const std::vector<Sensor> sensors = {
      {"cpu", SensorKind::kTemperature, "thermal zone", "", 0, 0},
      {"package-0", SensorKind::kEnergy, "powercap", "no permission", 0, 0}};
  EXPECT_THAT(SummariseEnergy(sensors, Readings({1, 2}), 0, kSecond, 1), IsEmpty());
}

std::vector<std::string> Throttling(const Sensor& sensor, const std::vector<double>& values) {
  const std::vector<Sensor> sensors = {sensor};
  return DescribeThrottling(sensors, Readings(values), 100 * kSecond, 200 * kSecond);
}

TEST(ThrottlingTest, SaysWhatHeldTheProcessorBack) {
  const Sensor events{"cores", SensorKind::kThrottleEvents, "thermal_throttle", "", 1, 0};
  EXPECT_THAT(Throttling(events, {7, 7, 7}), IsEmpty());
  EXPECT_THAT(Throttling(events, {7, 8, 10}), ElementsAre(HasSubstr("throttled 3 times")));
  const Sensor limit{"cpu", SensorKind::kFrequencyLimit, "cpufreq", "", 0, 0};
  EXPECT_THAT(Throttling(limit, {100, 100}), IsEmpty());
  EXPECT_THAT(Throttling(limit, {100, 40, kNone}), ElementsAre(HasSubstr("held to 40 %")));
  const Sensor pi{"raspberry-pi", SensorKind::kThrottleState, "firmware", "", 1, 0};
  EXPECT_THAT(Throttling(pi, {0x50000, 0x50000}), IsEmpty());  // Only in the past.
  EXPECT_THAT(Throttling(pi, {0x50000, 0x50005}),
              ElementsAre(HasSubstr("under-voltage, throttled")));
  const Sensor cooling{"cpufreq-cpu0", SensorKind::kThrottleState, "cooling device", "", 1, 0};
  EXPECT_THAT(Throttling(cooling, {0, 2}), ElementsAre(HasSubstr("cooling device: cpufreq-cpu0")));
  EXPECT_THAT(Throttling(cooling, {kNone, kNone}), IsEmpty());
}

}  // namespace
}  // namespace kenning
