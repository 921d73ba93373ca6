// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/model_diff.h"
#include "app/text_table.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

using Rows = std::vector<std::vector<std::string>>;
constexpr std::size_t kLayersShown = 24;

std::vector<std::string> Figures(const TensorDiff& diff) {
  return {ShortNumber(diff.max_abs), ShortNumber(diff.mean_abs), ShortNumber(diff.relative),
          fmt::format("{:.6f}", diff.cosine), fmt::format("{:.1f}", diff.sqnr_db)};
}

void Append(std::vector<std::string>& row, std::vector<std::string> more) {
  for (std::string& cell : more) row.push_back(std::move(cell));
}

const std::vector<std::string> kFigureNames = {"max abs", "mean abs", "relative", "cosine",
                                               "SQNR dB"};

std::string DescribeSide(const char* letter, const DiffSide& side) {
  return fmt::format("{}  {} ({}, {}, {} {})\n", letter, side.path, HumanBytes(side.size_bytes),
                     side.runtime, side.engine.name, side.engine.version);
}

std::string Names(const std::string& a, const std::string& b) { return a == b ? a : a + " / " + b; }

std::string DescribeOutputs(const ModelDiff& diff) {
  Rows rows = {{"output", "A", "B"}};
  Append(rows[0], kFigureNames);
  Append(rows[0], {"top-1 agreement"});
  for (const OutputDiff& output : diff.outputs) {
    std::vector<std::string> row = {Names(output.name_a, output.name_b), ToString(output.spec_a),
                                    ToString(output.spec_b)};
    Append(row, Figures(output.diff));
    row.push_back(output.same_top1 ? fmt::format("{:.2f} % ({} of {})",
                                                 100 * static_cast<double>(*output.same_top1) /
                                                     static_cast<double>(std::max<std::size_t>(
                                                         1, diff.sample_count)),
                                                 *output.same_top1, diff.sample_count)
                                   : "-");
    rows.push_back(std::move(row));
  }
  std::string text = TextTable(rows, 3);
  for (const OutputDiff& output : diff.outputs) {
    if (output.diff.non_finite == 0) continue;
    text += fmt::format("{}: {} elements are NaN or infinite in one model alone\n", output.name_a,
                        output.diff.non_finite);
  }
  return text;
}

std::string DescribeWorst(const ModelDiff& diff) {
  Rows rows = {{"worst samples"}};
  Append(rows[0], kFigureNames);
  rows[0].push_back("top-1");
  for (const SampleDiff& sample : diff.worst) {
    std::vector<std::string> row = {sample.name};
    Append(row, Figures(sample.diff));
    row.push_back(sample.top1 ? fmt::format("{} -> {}", sample.top1->first, sample.top1->second)
                              : "same");
    rows.push_back(std::move(row));
  }
  return TextTable(rows);
}

/// The layers that matter where there are too many: around the first that diverged, and the worst.
std::vector<std::size_t> ShownLayers(const ModelDiff& diff) {
  std::vector<std::size_t> shown;
  if (diff.layers.size() <= kLayersShown) {
    for (std::size_t i = 0; i < diff.layers.size(); ++i) shown.push_back(i);
    return shown;
  }
  std::vector<std::size_t> order(diff.layers.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&diff](std::size_t x, std::size_t y) {
    return diff.layers[x].diff.relative > diff.layers[y].diff.relative;
  });
  shown.assign(order.begin(), order.begin() + kLayersShown);
  if (diff.first_diverged) {
    const std::size_t first = *diff.first_diverged;
    for (std::size_t i = first > 2 ? first - 2 : 0; i <= first; ++i) shown.push_back(i);
  }
  std::ranges::sort(shown);
  const auto rest = std::ranges::unique(shown);
  shown.erase(rest.begin(), rest.end());
  return shown;
}

const char* KindName(MatchKind kind) {
  switch (kind) {
    case MatchKind::kName:
      return "name";
    case MatchKind::kPlainName:
      return "plain name";
    case MatchKind::kOrder:
      return "order and values";
  }
  return "";
}

std::string DescribeLayers(const ModelDiff& diff) {
  if (!diff.layers_note.empty()) {
    return fmt::format("layers: not compared ({})\n", diff.layers_note);
  }
  const std::vector<std::size_t> shown = ShownLayers(diff);
  std::string text =
      fmt::format("layers: {} tensors of A and {} of B, {} pairs, {} samples{}\n", diff.tensors_a,
                  diff.tensors_b, diff.layers.size(), diff.layer_samples,
                  shown.size() < diff.layers.size() ? "; those with the largest errors:" : "");
  Rows rows = {{"", "layer", "shape", "paired by"}};
  Append(rows[0], kFigureNames);
  for (const std::size_t i : shown) {
    const LayerDiff& layer = diff.layers[i];
    std::vector<std::string> row = {diff.first_diverged == i ? ">" : "",
                                    Names(layer.name_a, layer.name_b), ShapeToString(layer.shape),
                                    KindName(layer.match)};
    Append(row, Figures(layer.diff));
    rows.push_back(std::move(row));
  }
  text += TextTable(rows, 4);
  if (!diff.first_diverged) {
    return text + fmt::format("no layer has a relative error above {}\n", diff.threshold);
  }
  const LayerDiff& first = diff.layers[*diff.first_diverged];
  text += fmt::format("first layer that diverges: {} (relative error {} > {})\n", first.name_a,
                      ShortNumber(first.diff.relative), diff.threshold);
  if (diff.agrees_again) {
    text += fmt::format(
        "  but {} after it agrees again: a fused activation may stand under one of "
        "these names\n",
        diff.layers[*diff.agrees_again].name_a);
  }
  return text;
}

nlohmann::ordered_json Finite(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json ToJson(const TensorDiff& diff) {
  return {{"elements", diff.elements},         {"non_finite", diff.non_finite},
          {"max_abs", Finite(diff.max_abs)},   {"mean_abs", Finite(diff.mean_abs)},
          {"relative", Finite(diff.relative)}, {"cosine", Finite(diff.cosine)},
          {"sqnr_db", Finite(diff.sqnr_db)}};
}

nlohmann::ordered_json ToJson(const DiffSide& side) {
  return {{"path", side.path},
          {"format", side.format},
          {"runtime", side.runtime},
          {"engine", side.engine.name},
          {"engine_version", side.engine.version},
          {"size_bytes", side.size_bytes}};
}

}  // namespace

std::string DescribeDiff(const ModelDiff& diff) {
  return DescribeSide("A", diff.a) + DescribeSide("B", diff.b) +
         fmt::format("on {}\n\n", diff.samples) + DescribeOutputs(diff) + "\n" +
         DescribeWorst(diff) + "\n" + DescribeLayers(diff);
}

std::string DiffToJson(const ModelDiff& diff) {
  nlohmann::ordered_json document = {{"kind", "kenning-diff"},
                                     {"version", 1},
                                     {"a", ToJson(diff.a)},
                                     {"b", ToJson(diff.b)},
                                     {"samples", diff.samples},
                                     {"sample_count", diff.sample_count},
                                     {"max_error", Finite(diff.max_error())}};
  for (const OutputDiff& output : diff.outputs) {
    nlohmann::ordered_json one = {{"a", output.name_a}, {"b", output.name_b}};
    one.update(ToJson(output.diff));
    if (output.same_top1) one["same_top1"] = *output.same_top1;
    document["outputs"].push_back(std::move(one));
  }
  for (const SampleDiff& sample : diff.worst) {
    nlohmann::ordered_json one = {{"sample", sample.name}};
    one.update(ToJson(sample.diff));
    if (sample.top1) one["top1"] = {sample.top1->first, sample.top1->second};
    document["worst"].push_back(std::move(one));
  }
  document["layers"] = nlohmann::ordered_json::array();
  for (const LayerDiff& layer : diff.layers) {
    nlohmann::ordered_json one = {{"a", layer.name_a},
                                  {"b", layer.name_b},
                                  {"paired_by", KindName(layer.match)},
                                  {"shape", layer.shape}};
    one.update(ToJson(layer.diff));
    document["layers"].push_back(std::move(one));
  }
  if (!diff.layers_note.empty()) document["layers_note"] = diff.layers_note;
  document["threshold"] = diff.threshold;
  document["first_diverged"] =
      diff.first_diverged ? nlohmann::ordered_json(diff.layers[*diff.first_diverged].name_a)
                          : nlohmann::ordered_json(nullptr);
  if (diff.agrees_again) document["agrees_again"] = diff.layers[*diff.agrees_again].name_a;
  return document.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kenning
