// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small SVG writer and axes with round numbers. Deterministic bytes for the same calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kenning {

/// Round tick positions within [low, high], about `wanted` of them, and how many decimals they
/// need.
struct Ticks {
  std::vector<double> at;
  int decimals = 0;
};
Ticks RoundTicks(double low, double high, int wanted);

/// Colours of series that remain apart for colour-blind readers (Okabe and Ito).
std::string_view SeriesColour(std::size_t index);

/// Collects elements; coordinates are pixels from the upper left.
class SvgCanvas {
 public:
  SvgCanvas(double width, double height);
  void Line(double x1, double y1, double x2, double y2, std::string_view colour, double width,
            std::string_view dashes = "");
  void Rectangle(double x, double y, double width, double height, std::string_view fill,
                 double opacity = 1);
  void Circle(double x, double y, double radius, std::string_view fill, double opacity);
  void Polyline(const std::vector<std::pair<double, double>>& points, std::string_view colour,
                double width);
  enum class Anchor { kStart, kMiddle, kEnd };
  /// `degrees` rotates around the anchor point. The text is escaped here.
  void Text(double x, double y, std::string_view text, double size, Anchor anchor,
            std::string_view colour = "#333333", double degrees = 0, bool bold = false);
  std::string Finish() const;

 private:
  double width_;
  double height_;
  std::string body_;
};

/// The area of a plot with its axes: maps data to pixels.
class PlotArea {
 public:
  struct Range {
    double low = 0;
    double high = 1;
  };
  PlotArea(SvgCanvas& canvas, Range x, Range y, std::string_view title, std::string_view x_label,
           std::string_view y_label);
  double X(double value) const;
  double Y(double value) const;
  double left() const { return kLeft; }
  double right() const { return kWidth - kRight; }
  double top() const { return kTop; }
  double bottom() const { return kHeight - kBottom; }

  static constexpr double kWidth = 760;
  static constexpr double kHeight = 380;

 private:
  static constexpr double kLeft = 72;
  static constexpr double kRight = 24;
  static constexpr double kTop = 48;
  static constexpr double kBottom = 56;
  Range x_;
  Range y_;
};

/// One line of names with their colours, below the title.
void DrawLegend(SvgCanvas& canvas, const PlotArea& area, const std::vector<std::string>& names);

}  // namespace kenning
