// SPDX-License-Identifier: Apache-2.0
#include "measure/energy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace kenning {
namespace {

constexpr double kMostRelativeUncertainty = 0.2;
/// What a longer run is asked to reach.
constexpr double kGoodRelativeUncertainty = 0.1;
constexpr double kGapSteps = 4;
constexpr double kLeastCoverage = 0.9;

struct Point {
  double time_s = 0;  ///< From the span's start.
  double value = 0;
};

double Seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }

/// The values that one sensor gave, without the missing ones, in order of time.
std::vector<Point> PointsOf(std::span<const SystemReading> readings, std::size_t sensor,
                            std::int64_t start_ns) {
  std::vector<Point> points;
  for (const SystemReading& reading : readings) {
    if (sensor >= reading.values.size() || !std::isfinite(reading.values[sensor])) continue;
    const double time_s = Seconds(reading.time_ns - start_ns);
    if (!points.empty() && time_s <= points.back().time_s) continue;
    points.push_back({time_s, reading.values[sensor]});
  }
  return points;
}

/// "0.35 s", "12 s", "7 min".
std::string Duration(double seconds) {
  if (seconds >= 120) return fmt::format("{:.0f} min", std::ceil(seconds / 60));
  return seconds >= 10 ? fmt::format("{:.0f} s", std::ceil(seconds))
                       : fmt::format("{:.2g} s", seconds);
}

/// Keeps the number where it is certain enough, else says what would make it so. The relative
/// uncertainty shrinks with the `power`-th power of the time.
void Judge(EnergySummary& summary, Uncertain joules, std::uint64_t inferences, double power) {
  const double relative = joules.uncertainty / joules.value;
  if (joules.value > 0 && relative <= kMostRelativeUncertainty) {
    summary.joules = joules;
    if (inferences > 0) {
      const auto count = static_cast<double>(inferences);
      summary.per_inference = Uncertain{joules.value / count, joules.uncertainty / count};
    }
    return;
  }
  const std::string of =
      inferences > 0 ? fmt::format("{} inferences in {}", inferences, Duration(summary.span_s))
                     : Duration(summary.span_s);
  if (!(joules.value > 0)) {
    summary.reason = fmt::format("{} showed no energy in {}: its step is {:.2g} J; run longer",
                                 summary.name, Duration(summary.span_s), summary.resolution_j);
    return;
  }
  const double longer = std::pow(relative / kGoodRelativeUncertainty, 1 / power) * summary.span_s;
  summary.reason =
      fmt::format("{} is too coarse for {}: {:.2g} J, uncertain by {:.2g} J; run for at least {}",
                  summary.name, of, joules.value, joules.uncertainty, Duration(longer));
}

/// Value at a time between two points, and what is not known of it.
Uncertain At(const std::vector<Point>& points, double time_s) {
  const auto after =
      std::ranges::find_if(points, [time_s](const Point& point) { return point.time_s >= time_s; });
  if (after == points.begin()) return {after->value, 0};
  const Point& before = *(after - 1);
  const double rise = after->value - before.value;
  const double part = (time_s - before.time_s) / (after->time_s - before.time_s);
  // As if the power in between lay anywhere from nothing to twice its mean.
  return {before.value + part * rise, std::min(part, 1 - part) * rise};
}

void SummariseCounter(const Sensor& sensor, const std::vector<Point>& points,
                      std::uint64_t inferences, EnergySummary& summary) {
  const Uncertain start = At(points, 0);
  const Uncertain end = At(points, summary.span_s);
  summary.covered_s = summary.span_s;
  const double joules = end.value - start.value;
  double step = sensor.resolution;
  if (sensor.refresh_s > 0) {
    step = std::max(step, sensor.refresh_s * joules / summary.span_s);
  } else {
    // The smallest step that was seen is the best guess of one renewal.
    double smallest = 0;
    for (std::size_t i = 1; i < points.size(); ++i) {
      const double rise = points[i].value - points[i - 1].value;
      if (rise > 0 && (smallest == 0 || rise < smallest)) smallest = rise;
    }
    step = std::max(step, smallest);
  }
  summary.resolution_j = step;
  Judge(summary, {joules, start.uncertainty + end.uncertainty + 2 * step}, inferences, 1);
}

double MedianStep(const std::vector<Point>& points) {
  std::vector<double> steps;
  for (std::size_t i = 1; i < points.size(); ++i) {
    steps.push_back(points[i].time_s - points[i - 1].time_s);
  }
  const auto middle = steps.begin() + static_cast<std::ptrdiff_t>(steps.size() / 2);
  std::ranges::nth_element(steps, middle);
  return *middle;
}

/// Trapezoids between the points, cut to the span; gaps are left out.
struct Integral {
  double joules = 0;
  double covered_s = 0;
};
Integral Integrate(const std::vector<Point>& points, double span_s, double longest_s) {
  Integral integral;
  for (std::size_t i = 1; i < points.size(); ++i) {
    const Point& a = points[i - 1];
    const Point& b = points[i];
    const double from = std::max(a.time_s, 0.0);
    const double to = std::min(b.time_s, span_s);
    if (to <= from || b.time_s - a.time_s > longest_s) continue;
    const double slope = (b.value - a.value) / (b.time_s - a.time_s);
    const double middle = a.value + slope * ((from + to) / 2 - a.time_s);
    integral.joules += middle * (to - from);
    integral.covered_s += to - from;
  }
  return integral;
}

void SummarisePower(const Sensor& sensor, const std::vector<Point>& points,
                    std::uint64_t inferences, EnergySummary& summary) {
  const double step_s = std::max(MedianStep(points), sensor.refresh_s);
  const Integral integral = Integrate(points, summary.span_s, kGapSteps * step_s);
  summary.covered_s = integral.covered_s;
  if (integral.covered_s < kLeastCoverage * summary.span_s) {
    summary.reason = fmt::format("{} was read in {} of {} only", summary.name,
                                 Duration(integral.covered_s), Duration(summary.span_s));
    return;
  }
  const double renewals = integral.covered_s / step_s;
  summary.resolution_j = step_s * integral.joules / integral.covered_s;
  if (renewals < 3) {
    summary.reason = fmt::format(
        "{} is renewed every {}: too seldom for a span of {}; run for at least {}", summary.name,
        Duration(step_s), Duration(summary.span_s), Duration(30 * step_s));
    return;
  }
  const double mean = integral.joules / integral.covered_s;
  double squares = 0;
  std::size_t count = 0;
  for (const Point& point : points) {
    if (point.time_s < 0 || point.time_s > summary.span_s) continue;
    squares += (point.value - mean) * (point.value - mean);
    ++count;
  }
  const double deviation = count > 1 ? std::sqrt(squares / static_cast<double>(count - 1)) : mean;
  const double gap_j = mean * (summary.span_s - integral.covered_s);
  const double error_j =
      2 * deviation / std::sqrt(renewals) * summary.span_s + sensor.resolution * summary.span_s / 2;
  Judge(summary, {integral.joules + gap_j, error_j + gap_j}, inferences, 0.5);
}

/// Largest and smallest value in the span; false where there is none.
bool RangeOf(const std::vector<Point>& points, double span_s, double& least, double& most) {
  bool any = false;
  for (const Point& point : points) {
    if (point.time_s < 0 || point.time_s > span_s) continue;
    least = any ? std::min(least, point.value) : point.value;
    most = any ? std::max(most, point.value) : point.value;
    any = true;
  }
  return any;
}

/// The firmware's bits of now that were set in the span.
std::string RaspberryPiBits(const std::vector<Point>& points, double span_s) {
  constexpr const char* kNames[] = {"under-voltage", "frequency capped", "throttled",
                                    "soft temperature limit"};
  unsigned bits = 0;
  for (const Point& point : points) {
    if (point.time_s >= 0 && point.time_s <= span_s) bits |= static_cast<unsigned>(point.value);
  }
  std::string text;
  for (unsigned i = 0; i < 4; ++i) {
    if ((bits >> i & 1U) != 0) text += (text.empty() ? "" : ", ") + std::string(kNames[i]);
  }
  return text;
}

std::string ThrottlingOf(const Sensor& sensor, const std::vector<Point>& points, double span_s) {
  double least = 0;
  double most = 0;
  if (!RangeOf(points, span_s, least, most)) return "";
  switch (sensor.kind) {
    case SensorKind::kThrottleEvents:
      return most > least ? fmt::format(
                                "the processor was throttled {:.0f} times during the run "
                                "({}, {})",
                                most - least, sensor.name, sensor.source)
                          : "";
    case SensorKind::kFrequencyLimit:
      return least < 99.9 ? fmt::format(
                                "the processor was held to {:.0f} % of its highest "
                                "frequency during the run",
                                least)
                          : "";
    case SensorKind::kThrottleState: {
      if (sensor.source != "firmware") {
        return most > 0 ? fmt::format("the processor was held back during the run ({}: {})",
                                      sensor.source, sensor.name)
                        : "";
      }
      const std::string bits = RaspberryPiBits(points, span_s);
      return bits.empty() ? "" : fmt::format("the firmware reported during the run: {}", bits);
    }
    default:
      return "";
  }
}

}  // namespace

std::vector<EnergySummary> SummariseEnergy(std::span<const Sensor> sensors,
                                           std::span<const SystemReading> readings,
                                           std::int64_t start_ns, std::int64_t end_ns,
                                           std::uint64_t inferences) {
  std::vector<EnergySummary> summaries;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    const Sensor& sensor = sensors[i];
    const bool counter = sensor.kind == SensorKind::kEnergy;
    if ((!counter && sensor.kind != SensorKind::kPower) || !sensor.unavailable.empty()) continue;
    EnergySummary summary;
    summary.name = sensor.name;
    summary.source = sensor.source;
    summary.counter = counter;
    summary.span_s = Seconds(end_ns - start_ns);
    const std::vector<Point> points = PointsOf(readings, i, start_ns);
    if (!(summary.span_s > 0)) {
      summary.reason = "the span is empty";
    } else if (points.size() < 2 || points.front().time_s > summary.span_s ||
               points.back().time_s < 0) {
      summary.reason = fmt::format("{} gave no readings in the span", sensor.name);
    } else if (counter && (points.front().time_s > 0 || points.back().time_s < summary.span_s)) {
      summary.reason = fmt::format("the readings of {} do not cover the span", sensor.name);
    } else if (counter) {
      SummariseCounter(sensor, points, inferences, summary);
    } else {
      SummarisePower(sensor, points, inferences, summary);
    }
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

std::vector<std::string> DescribeThrottling(std::span<const Sensor> sensors,
                                            std::span<const SystemReading> readings,
                                            std::int64_t start_ns, std::int64_t end_ns) {
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < sensors.size(); ++i) {
    std::string sentence =
        ThrottlingOf(sensors[i], PointsOf(readings, i, start_ns), Seconds(end_ns - start_ns));
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
  }
  return sentences;
}

}  // namespace kenning
