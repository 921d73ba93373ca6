// SPDX-License-Identifier: Apache-2.0
#include "report/svg_plots.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/svg_canvas.h"
#include "report/text.h"

namespace kenning {
namespace {

using Anchor = SvgCanvas::Anchor;

/// The unit in which a typical latency has one to three digits before the point.
struct Unit {
  const char* name;
  double per_second;
};
Unit UnitFor(double seconds) {
  if (seconds >= 1) return {"s", 1};
  if (seconds >= 1e-3) return {"ms", 1e3};
  return {"µs", 1e6};
}

double Quantile(std::vector<double> values, double p) {
  const auto index = static_cast<std::ptrdiff_t>(p * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + index, values.end());
  return values[static_cast<std::size_t>(index)];
}

/// Lowest and highest of each group that falls into one pixel column.
std::vector<std::pair<double, double>> Thin(const std::vector<double>& values, const PlotArea& area,
                                            double scale) {
  std::vector<std::pair<double, double>> points;
  const auto columns = static_cast<std::size_t>(area.right() - area.left());
  const std::size_t group = std::max<std::size_t>(1, values.size() / columns);
  for (std::size_t i = 0; i < values.size(); i += group) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end =
        values.begin() + static_cast<std::ptrdiff_t>(std::min(i + group, values.size()));
    const auto [low, high] = std::minmax_element(begin, end);
    const double x = area.X(static_cast<double>(i));
    points.emplace_back(x, area.Y(*low * scale));
    if (group > 1) points.emplace_back(x, area.Y(*high * scale));
  }
  return points;
}

std::string Empty(std::string_view title) {
  SvgCanvas canvas(PlotArea::kWidth, 120);
  canvas.Text(24, 32, title, 15, Anchor::kStart, "#1B1F24", 0, true);
  canvas.Text(24, 64, "no data", 12, Anchor::kStart);
  return canvas.Finish();
}

std::vector<double> SecondsSinceStart(const MeasurementLog& log) {
  std::vector<double> seconds;
  for (const SystemReading& reading : log.system) {
    seconds.push_back(static_cast<double>(reading.time_ns - log.system.front().time_ns) * 1e-9);
  }
  return seconds;
}

}  // namespace

std::string PlotLatencyOverTime(const LatencySeries& series) {
  if (series.seconds.empty()) return Empty("Inference time over the run");
  const double median = Quantile(series.seconds, 0.5);
  const Unit unit = UnitFor(median);
  const double highest = *std::ranges::max_element(series.seconds) * unit.per_second;
  SvgCanvas canvas(PlotArea::kWidth, PlotArea::kHeight);
  const double last = std::max(1.0, static_cast<double>(series.seconds.size() - 1));
  const PlotArea area(canvas, {0, last}, {0, highest * 1.05}, "Inference time over the run",
                      "inference", fmt::format("time [{}]", unit.name));
  canvas.Polyline(Thin(series.seconds, area, unit.per_second), SeriesColour(0), 1);
  const double y = area.Y(median * unit.per_second);
  canvas.Line(area.left(), y, area.right(), y, SeriesColour(1), 1.5, "6 4");
  canvas.Text(area.right(), y - 6, "median " + FormatSeconds(median), 11, Anchor::kEnd,
              SeriesColour(1));
  return canvas.Finish();
}

namespace {

constexpr std::size_t kBins = 60;

/// Share of the samples in each bin of [low, high).
std::vector<double> BinShares(const std::vector<double>& seconds, double low, double high) {
  std::vector<double> shares(kBins, 0);
  for (const double value : seconds) {
    const double position = (value - low) / (high - low) * static_cast<double>(kBins);
    if (position >= 0 && position < static_cast<double>(kBins)) {
      shares[static_cast<std::size_t>(position)] += 100.0 / static_cast<double>(seconds.size());
    }
  }
  return shares;
}

void MarkPercentiles(SvgCanvas& canvas, const PlotArea& area, const std::vector<double>& seconds,
                     double high, double scale) {
  double offset = 12;
  for (const auto& [p, name] : {std::pair{0.5, "p50"}, {0.9, "p90"}, {0.99, "p99"}}) {
    const double value = Quantile(seconds, p);
    if (value >= high) continue;
    const double x = area.X(value * scale);
    canvas.Line(x, area.top(), x, area.bottom(), "#4A4F57", 1, "3 3");
    canvas.Text(x + 4, area.top() + offset, fmt::format("{} {}", name, FormatSeconds(value)), 10,
                Anchor::kStart, "#4A4F57");
    offset += 14;
  }
}

}  // namespace

std::string PlotLatencyHistogram(const std::vector<LatencySeries>& series) {
  double low = INFINITY;
  double high = 0;
  std::size_t beyond = 0;
  for (const LatencySeries& one : series) {
    if (one.seconds.empty()) continue;
    low = std::min(low, *std::ranges::min_element(one.seconds));
    high = std::max(high, Quantile(one.seconds, 0.995));
  }
  if (!(high > 0)) return Empty("Distribution of inference times");
  high = std::max(high + (high - low) * 0.02, low * 1.001);
  double tallest = 0;
  std::vector<std::vector<double>> shares;
  std::vector<std::string> names;
  for (const LatencySeries& one : series) {
    shares.push_back(BinShares(one.seconds, low, high));
    tallest = std::max(tallest, *std::ranges::max_element(shares.back()));
    names.push_back(one.name);
    beyond += static_cast<std::size_t>(
        std::ranges::count_if(one.seconds, [high](double value) { return value >= high; }));
  }
  const Unit unit = UnitFor(high);
  SvgCanvas canvas(PlotArea::kWidth, PlotArea::kHeight);
  const PlotArea area(canvas, {low * unit.per_second, high * unit.per_second}, {0, tallest * 1.08},
                      "Distribution of inference times",
                      fmt::format("time [{}] ({} slower inferences not drawn)", unit.name, beyond),
                      "share of inferences [%]");
  const double width = (area.right() - area.left()) / static_cast<double>(kBins);
  for (std::size_t s = 0; s < shares.size(); ++s) {
    for (std::size_t b = 0; b < kBins; ++b) {
      if (shares[s][b] <= 0) continue;
      const double y = area.Y(shares[s][b]);
      canvas.Rectangle(area.left() + static_cast<double>(b) * width, y, width - 0.5,
                       area.bottom() - y, SeriesColour(s), shares.size() > 1 ? 0.6 : 0.9);
    }
  }
  if (series.size() == 1) {
    MarkPercentiles(canvas, area, series[0].seconds, high, unit.per_second);
  } else {
    DrawLegend(canvas, area, names);
  }
  return canvas.Finish();
}

std::string PlotCpu(const MeasurementLog& log) {
  if (log.system.size() < 2) return Empty("CPU");
  const std::vector<double> seconds = SecondsSinceStart(log);
  SvgCanvas canvas(PlotArea::kWidth, PlotArea::kHeight);
  const PlotArea area(canvas, {0, seconds.back()}, {0, 105}, "CPU use of each core", "time [s]",
                      "busy [%]");
  std::vector<std::string> names;
  constexpr std::size_t kMostCores = 16;
  const std::size_t cores = std::min(kMostCores, log.system[1].cpu_percent.size());
  for (std::size_t core = 0; core < cores; ++core) {
    std::vector<std::pair<double, double>> points;
    // The first reading has no interval before it.
    for (std::size_t i = 1; i < log.system.size(); ++i) {
      if (core >= log.system[i].cpu_percent.size()) continue;
      points.emplace_back(area.X(seconds[i]),
                          area.Y(static_cast<double>(log.system[i].cpu_percent[core])));
    }
    canvas.Polyline(points, SeriesColour(core), 1.5);
    names.push_back(fmt::format("core {}", core));
  }
  DrawLegend(canvas, area, names);
  return canvas.Finish();
}

std::string PlotMemory(const MeasurementLog& log) {
  if (log.system.size() < 2) return Empty("Memory");
  const std::vector<double> seconds = SecondsSinceStart(log);
  double highest = 0;
  for (const SystemReading& reading : log.system) {
    highest = std::max(highest, static_cast<double>(reading.process_resident_bytes) / 1e6);
  }
  if (highest <= 0) return Empty("Memory");
  SvgCanvas canvas(PlotArea::kWidth, PlotArea::kHeight);
  const PlotArea area(canvas, {0, seconds.back()}, {0, highest * 1.1},
                      "Resident memory of the process", "time [s]", "memory [MB]");
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < log.system.size(); ++i) {
    points.emplace_back(area.X(seconds[i]),
                        area.Y(static_cast<double>(log.system[i].process_resident_bytes) / 1e6));
  }
  canvas.Polyline(points, SeriesColour(0), 2);
  return canvas.Finish();
}

}  // namespace kenning
