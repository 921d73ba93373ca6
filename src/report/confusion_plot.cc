// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/svg_canvas.h"
#include "report/svg_plots.h"

namespace kenning {
namespace {

using Anchor = SvgCanvas::Anchor;

constexpr std::size_t kMostCounts = 20;  ///< Classes up to which cells show their counts.
constexpr std::size_t kMostNames = 60;

/// White to dark blue.
std::string CellColour(double share) {
  const double t = std::clamp(std::sqrt(share), 0.0, 1.0);
  const auto mix = [t](double from, double to) {
    return static_cast<int>(std::lround(from + (to - from) * t));
  };
  return fmt::format("#{:02X}{:02X}{:02X}", mix(255, 8), mix(255, 69), mix(255, 148));
}

std::string Shorten(const std::string& name) {
  constexpr std::size_t kLongest = 16;
  return name.size() <= kLongest ? name : name.substr(0, kLongest - 1) + "…";
}

struct Layout {
  std::size_t classes = 0;
  double cell = 0;
  double left = 0;
  double top = 0;
  bool named = false;
};

void DrawCells(SvgCanvas& canvas, const ClassificationEvaluation& evaluation, const Layout& l) {
  for (std::size_t row = 0; row < l.classes; ++row) {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : evaluation.confusion[row]) sum += count;
    for (std::size_t column = 0; column < l.classes; ++column) {
      const std::uint64_t count = evaluation.confusion[row][column];
      if (count == 0) continue;
      const double share = static_cast<double>(count) / static_cast<double>(sum);
      const double x = l.left + static_cast<double>(column) * l.cell;
      const double y = l.top + static_cast<double>(row) * l.cell;
      canvas.Rectangle(x, y, l.cell, l.cell, CellColour(share));
      if (l.classes > kMostCounts) continue;
      canvas.Text(x + l.cell / 2, y + l.cell / 2 + 4, fmt::format("{}", count),
                  std::min(12.0, l.cell / 3), Anchor::kMiddle, share > 0.3 ? "#FFFFFF" : "#333333");
    }
  }
}

void DrawNames(SvgCanvas& canvas, const ClassificationEvaluation& evaluation, const Layout& l) {
  const double size = std::clamp(l.cell * 0.6, 6.0, 12.0);
  for (std::size_t i = 0; l.named && i < l.classes; ++i) {
    const double middle = (static_cast<double>(i) + 0.5) * l.cell;
    const std::string name = Shorten(evaluation.class_names[i]);
    canvas.Text(l.left - 6, l.top + middle + size / 3, name, size, Anchor::kEnd);
    canvas.Text(l.left + middle + size / 3, l.top - 6, name, size, Anchor::kStart, "#333333", -60);
  }
}

}  // namespace

std::string PlotConfusionMatrix(const ClassificationEvaluation& evaluation) {
  Layout l;
  l.classes = evaluation.confusion.size();
  if (l.classes == 0) l.classes = 1;
  l.named = l.classes <= kMostNames;
  l.cell = std::clamp(640.0 / static_cast<double>(l.classes), 1.0, 48.0);
  l.left = l.named ? 150 : 60;
  l.top = l.named ? 150 : 70;
  const double side = l.cell * static_cast<double>(l.classes);
  SvgCanvas canvas(l.left + side + 110, l.top + side + 40);
  canvas.Text(16, 26, "Confusion matrix", 15, Anchor::kStart, "#1B1F24", 0, true);
  canvas.Text(16, 44, "rows: truth, columns: prediction", 11, Anchor::kStart);
  canvas.Rectangle(l.left - 1, l.top - 1, side + 2, side + 2, "#C9CED6");
  canvas.Rectangle(l.left, l.top, side, side, "#FFFFFF");
  if (!evaluation.confusion.empty()) {
    DrawCells(canvas, evaluation, l);
    DrawNames(canvas, evaluation, l);
  }
  const double key = l.left + side + 24;
  for (int i = 0; i <= 20; ++i) {
    canvas.Rectangle(key, l.top + 120 - i * 6, 14, 6, CellColour(i / 20.0));
  }
  canvas.Text(key + 20, l.top + 10, "100 %", 10, Anchor::kStart);
  canvas.Text(key + 20, l.top + 126, "0 %", 10, Anchor::kStart);
  canvas.Text(key, l.top + 144, "of the row", 10, Anchor::kStart);
  return canvas.Finish();
}

}  // namespace kenning
