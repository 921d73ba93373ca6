// SPDX-License-Identifier: Apache-2.0
#include "figures.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "measure/statistics.h"

namespace kenning::bench {
namespace {

using Json = nlohmann::ordered_json;

/// Three digits that count, without an exponent.
std::string Number(double value) {
  const double size = value < 0 ? -value : value;
  if (size >= 100) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  return fmt::format("{:.2f}", value);
}

std::string Cell(const Estimate& estimate, const std::string& unit) {
  std::string text = Number(estimate.value) + (unit.empty() ? "" : " " + unit);
  if (estimate.low && estimate.high) {
    text += fmt::format(" [{}, {}]", Number(*estimate.low), Number(*estimate.high));
  }
  return text;
}

Json ToJson(const Estimate& estimate) {
  Json json = {{"value", estimate.value}};
  if (estimate.low && estimate.high) json["interval"] = {*estimate.low, *estimate.high};
  return json;
}

}  // namespace

Estimate MedianOfRounds(const std::vector<double>& rounds) {
  const LatencySummary summary = SummariseLatency(rounds);
  Estimate estimate{.value = summary.median, .low = {}, .high = {}};
  if (!summary.percentiles.empty() && summary.percentiles[0].interval) {
    estimate.low = summary.percentiles[0].interval->low;
    estimate.high = summary.percentiles[0].interval->high;
  }
  return estimate;
}

std::optional<bool> Figure::met() const {
  if (!bar) return std::nullopt;
  return at_most ? measured.value <= *bar : measured.value >= *bar;
}

std::string ToMarkdown(const std::vector<Figure>& figures) {
  std::string text =
      "| figure | measured | bar | rival in the same run | ratio | Kenning 0.8.2 |\n"
      "|---|---|---|---|---|---|\n";
  for (const Figure& figure : figures) {
    std::string bar = "-";
    if (figure.bar) {
      bar = fmt::format("{} {} {}: {}", figure.at_most ? "at most" : "at least",
                        Number(*figure.bar), figure.unit, *figure.met() ? "met" : "**missed**");
    }
    std::string rival = figure.rival.empty() ? "-" : figure.rival;
    if (figure.rival_measured) rival += ": " + Cell(*figure.rival_measured, figure.unit);
    text += fmt::format("| {} | {} | {} | {} | {} | {} |\n", figure.name,
                        Cell(figure.measured, figure.unit), bar, rival,
                        figure.ratio ? Cell(*figure.ratio, "") : "-",
                        figure.peer.empty() ? "-" : figure.peer);
  }
  for (const Figure& figure : figures) {
    if (!figure.note.empty()) text += fmt::format("\n{}: {}.\n", figure.name, figure.note);
  }
  return text;
}

std::string ToJson(const std::vector<Figure>& figures) {
  Json list = Json::array();
  for (const Figure& figure : figures) {
    Json json = {{"figure", figure.name}, {"unit", figure.unit}};
    json["measured"] = ToJson(figure.measured);
    if (figure.bar) {
      json["bar"] = *figure.bar;
      json["bar_is"] = figure.at_most ? "at most" : "at least";
      json["met"] = *figure.met();
    }
    if (!figure.rival.empty()) json["rival"] = figure.rival;
    if (figure.rival_measured) json["rival_measured"] = ToJson(*figure.rival_measured);
    if (figure.ratio) json["ratio"] = ToJson(*figure.ratio);
    if (!figure.peer.empty()) json["kenning_0_8_2"] = figure.peer;
    if (!figure.note.empty()) json["note"] = figure.note;
    list.push_back(std::move(json));
  }
  return list.dump(2) + "\n";
}

}  // namespace kenning::bench
