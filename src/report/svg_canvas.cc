// SPDX-License-Identifier: Apache-2.0
#include "report/svg_canvas.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "report/text.h"

namespace kenning {
namespace {

constexpr std::array<std::string_view, 7> kColours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                                      "#E69F00", "#56B4E9", "#6B6B6B"};
constexpr std::string_view kGrid = "#E3E6EA";
constexpr std::string_view kAxis = "#8A9099";

/// Pixels with at most two decimals, no trailing zeros.
std::string Px(double value) {
  std::string text = fmt::format("{:.2f}", std::isfinite(value) ? value : 0.0);
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace

Ticks RoundTicks(double low, double high, int wanted) {
  Ticks ticks;
  if (!(high > low) || !std::isfinite(low) || !std::isfinite(high)) {
    ticks.at = {low};
    return ticks;
  }
  const double raw = (high - low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) {
      step = factor * power;
      break;
    }
  }
  ticks.decimals = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  const double first = std::ceil(low / step - 1e-9);
  for (int i = 0; i < 4 * wanted; ++i) {
    const double value = (first + i) * step;
    if (value > high + step * 1e-9) break;
    ticks.at.push_back(value);
  }
  return ticks;
}

std::string_view SeriesColour(std::size_t index) { return kColours[index % kColours.size()]; }

SvgCanvas::SvgCanvas(double width, double height) : width_(width), height_(height) {}

void SvgCanvas::Line(double x1, double y1, double x2, double y2, std::string_view colour,
                     double width, std::string_view dashes) {
  const std::string dash =
      dashes.empty() ? std::string() : fmt::format(" stroke-dasharray=\"{}\"", dashes);
  body_ += fmt::format(
      "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" stroke-width=\"{}\"{}/>\n",
      Px(x1), Px(y1), Px(x2), Px(y2), colour, Px(width), dash);
}

void SvgCanvas::Rectangle(double x, double y, double width, double height, std::string_view fill,
                          double opacity) {
  body_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"", Px(x),
                       Px(y), Px(std::max(width, 0.0)), Px(std::max(height, 0.0)), fill);
  if (opacity < 1) body_ += fmt::format(" fill-opacity=\"{}\"", Px(opacity));
  body_ += "/>\n";
}

void SvgCanvas::Circle(double x, double y, double radius, std::string_view fill, double opacity) {
  body_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\" fill-opacity=\"{}\"/>\n",
                       Px(x), Px(y), Px(radius), fill, Px(opacity));
}

void SvgCanvas::Polyline(const std::vector<std::pair<double, double>>& points,
                         std::string_view colour, double width) {
  if (points.empty()) return;
  body_ += "<polyline fill=\"none\" points=\"";
  for (const auto& [x, y] : points) body_ += fmt::format("{},{} ", Px(x), Px(y));
  body_.back() = '"';
  body_ += fmt::format(" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"/>\n", colour,
                       Px(width));
}

void SvgCanvas::Text(double x, double y, std::string_view text, double size, Anchor anchor,
                     std::string_view colour, double degrees, bool bold) {
  static constexpr std::array<std::string_view, 3> kAnchors = {"start", "middle", "end"};
  const std::string rotation =
      degrees == 0 ? std::string()
                   : fmt::format(" transform=\"rotate({} {} {})\"", Px(degrees), Px(x), Px(y));
  body_ += fmt::format(
      "<text x=\"{}\" y=\"{}\" font-size=\"{}\" text-anchor=\"{}\" fill=\"{}\"{}{}>{}</text>\n",
      Px(x), Px(y), Px(size), kAnchors[static_cast<std::size_t>(anchor)], colour,
      bold ? " font-weight=\"600\"" : "", rotation, EscapeXml(text));
}

std::string SvgCanvas::Finish() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
      "viewBox=\"0 0 {0} {1}\" font-family=\"Helvetica, Arial, sans-serif\">\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#FFFFFF\"/>\n{2}</svg>\n",
      Px(width_), Px(height_), body_);
}

PlotArea::PlotArea(SvgCanvas& canvas, Range x, Range y, std::string_view title,
                   std::string_view x_label, std::string_view y_label)
    : x_(x), y_(y) {
  canvas.Text(left(), 24, title, 15, SvgCanvas::Anchor::kStart, "#1B1F24", 0, true);
  const Ticks y_ticks = RoundTicks(y.low, y.high, 5);
  for (const double value : y_ticks.at) {
    canvas.Line(left(), Y(value), right(), Y(value), kGrid, 1);
    canvas.Text(left() - 8, Y(value) + 4, fmt::format("{:.{}f}", value, y_ticks.decimals), 11,
                SvgCanvas::Anchor::kEnd);
  }
  const Ticks x_ticks = RoundTicks(x.low, x.high, 8);
  for (const double value : x_ticks.at) {
    canvas.Line(X(value), bottom(), X(value), bottom() + 5, kAxis, 1);
    canvas.Text(X(value), bottom() + 19, fmt::format("{:.{}f}", value, x_ticks.decimals), 11,
                SvgCanvas::Anchor::kMiddle);
  }
  canvas.Line(left(), bottom(), right(), bottom(), kAxis, 1);
  canvas.Text((left() + right()) / 2, bottom() + 42, x_label, 12, SvgCanvas::Anchor::kMiddle);
  canvas.Text(20, (top() + bottom()) / 2, y_label, 12, SvgCanvas::Anchor::kMiddle, "#333333", -90);
}

double PlotArea::X(double value) const {
  const double span = x_.high > x_.low ? x_.high - x_.low : 1;
  return left() + (value - x_.low) / span * (right() - left());
}

double PlotArea::Y(double value) const {
  const double span = y_.high > y_.low ? y_.high - y_.low : 1;
  return bottom() - (value - y_.low) / span * (bottom() - top());
}

void DrawLegend(SvgCanvas& canvas, const PlotArea& area, const std::vector<std::string>& names) {
  double x = area.left();
  for (std::size_t i = 0; i < names.size() && x < area.right() - 60; ++i) {
    std::string name = names[i].substr(0, 28);
    canvas.Rectangle(x, 33, 10, 10, SeriesColour(i));
    canvas.Text(x + 15, 42, name, 11, SvgCanvas::Anchor::kStart);
    x += 30 + 6.3 * static_cast<double>(name.size());
  }
}

}  // namespace kenning
