// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "app/explain.h"
#include "app/text_table.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using Json = nlohmann::ordered_json;
constexpr std::size_t kSlowestShown = 10;
constexpr std::size_t kCausesShown = 3;
constexpr std::size_t kNamesShown = 5;

/// "114 µs": three digits in the unit that fits.
std::string Time(double seconds) {
  const char* unit = seconds < 1e-3 ? "µs" : seconds < 1 ? "ms" : "s";
  const double scaled = seconds * (seconds < 1e-3 ? 1e6 : seconds < 1 ? 1e3 : 1);
  const int digits = scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
  return fmt::format("{:.{}f} {}", scaled, digits, unit);
}

std::string Percent(double share) { return fmt::format("{:.0f} %", share * 100); }

std::string Macs(std::uint64_t macs) {
  if (macs == 0) return "-";
  const auto value = static_cast<double>(macs);
  return value < 1e6 ? fmt::format("{:.1f} k", value / 1e3) : fmt::format("{:.1f} M", value / 1e6);
}

std::string DescribeModel(const char* title, const ModelFacts& model) {
  const LatencyFacts& latency = model.latency;
  const std::string busy =
      latency.disturbed()
          ? fmt::format(
                "{:<10} other work disturbed it: {} in the quietest round; time outside of "
                "operators is not told\n",
                "", Time(latency.quiet_s))
          : "";
  return fmt::format("{:<10} {} ({}, {}, {} {})\n{:<10} {} median ({} to {} for 90 % of {} runs)\n",
                     title, model.path, HumanBytes(model.size_bytes), model.runtime,
                     model.engine.name, model.engine.version, "latency",
                     Time(model.latency.median_s), Time(model.latency.low_s),
                     Time(model.latency.high_s), model.latency.runs) +
         busy;
}

std::string DescribeMachineText(const Explanation& all) {
  std::string memory;
  for (const MemoryRate& rate : all.peaks.memory) {
    memory += fmt::format("{}{:.0f} GB/s within {}", memory.empty() ? "" : ", ",
                          rate.bytes_per_s / 1e9, HumanBytes(rate.working_set_bytes));
  }
  return fmt::format(
      "{:<10} {}, {}\n{:<10} {} {}: float32 {:.0f} GMAC/s ({}), int8 {:.0f} GMAC/s ({}), {:.1f} "
      "times as many\n{:<10} {}\n",
      "machine", all.platform.cpu_model, all.int8.summary, "peak", all.peaks.threads,
      all.peaks.threads == 1 ? "thread" : "threads", all.peaks.float32_macs_per_s / 1e9,
      all.peaks.float32_kernel, all.peaks.int8_macs_per_s / 1e9, all.peaks.int8_kernel,
      all.peaks.int8_macs_per_s / std::max(1.0, all.peaks.float32_macs_per_s), "memory", memory);
}

std::string DescribeBound(const ModelBound& bound) {
  return fmt::format(
      "{:<10} {} MACs, {:.0f} % of them int8, {} of weights: convolutions and matrix products take "
      "at least\n           {} as they are, {} in float32, {} in int8\n",
      "roofline", Macs(bound.macs),
      bound.macs > 0 ? 100 * static_cast<double>(bound.int8_macs) / static_cast<double>(bound.macs)
                     : 0.0,
      HumanBytes(bound.weight_bytes), Time(bound.seconds), Time(bound.float32_seconds),
      Time(bound.int8_seconds));
}

template <typename Cost>
std::vector<std::string> CostCells(const Cost& cost, double total) {
  return {Time(cost.seconds), total > 0 ? Percent(cost.seconds / total) : "-", Macs(cost.macs),
          cost.bound_s ? Time(*cost.bound_s) : "-",
          cost.bound_s && cost.seconds > 0 ? Percent(*cost.bound_s / cost.seconds) : "-"};
}

const std::vector<std::string> kCostNames = {"time", "share", "MACs", "bound", "of roofline"};

std::string DescribeOperators(const ModelFacts& model) {
  double total = 0;
  for (const OperatorCost& op : model.operators) total += op.seconds;
  Rows groups = {{"operators", "in", "count"}};
  groups[0].insert(groups[0].end(), kCostNames.begin(), kCostNames.end());
  for (const OperatorGroup& group : GroupCosts(model.operators)) {
    std::vector<std::string> row = {group.op_type, group.dtype.empty() ? "?" : group.dtype,
                                    fmt::format("{}", group.count)};
    for (std::string& cell : CostCells(group, total)) row.push_back(std::move(cell));
    groups.push_back(std::move(row));
  }
  Rows slowest = {{"slowest", "type", "in"}};
  slowest[0].insert(slowest[0].end(), kCostNames.begin(), kCostNames.end());
  for (std::size_t i = 0; i < std::min(kSlowestShown, model.operators.size()); ++i) {
    const OperatorCost& op = model.operators[i];
    std::vector<std::string> row = {op.name, op.op_type, op.dtype.empty() ? "?" : op.dtype};
    for (std::string& cell : CostCells(op, total)) row.push_back(std::move(cell));
    slowest.push_back(std::move(row));
  }
  const double latency = model.latency.quiet_s;
  std::string text = "\n" + TextTable(groups, 2) + "\n" + TextTable(slowest, 3) +
                     fmt::format(
                         "operators together {} in their quietest rounds under the "
                         "profiler, an inference {} in its own\n",
                         Time(total), Time(latency));
  if (total > 1.1 * latency) {
    text += "the profiler costs much here: the shares tell more than the times\n";
  }
  return text;
}

std::string DescribeFloats(const ModelFacts& model, bool has_int8) {
  if (!model.bound || !has_int8 || model.bound->float_multiplies.empty()) return "";
  std::vector<std::string> names = model.bound->float_multiplies;
  const std::size_t more = names.size() > kNamesShown ? names.size() - kNamesShown : 0;
  names.resize(names.size() - more);
  return fmt::format("in float   {}{}\n", Join(names),
                     more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string DescribeGain(const Explanation& all) {
  if (!all.baseline || !all.measured_gain) return "";
  std::string text = fmt::format("\ngain       {:.2f}x measured against {}", *all.measured_gain,
                                 all.baseline->path);
  text += all.predicted_gain
              ? fmt::format(", {:.2f}x predicted by the roofline\n", *all.predicted_gain)
              : "; the roofline of one of them is not known, so that none is predicted\n";
  return text;
}

std::string DescribeCauses(const Explanation& all) {
  if (!all.model.profiled) return "\ncauses     not looked for: there are no times of operators\n";
  if (all.causes.empty()) {
    return "\ncauses     none found that would gain half a percent or more\n";
  }
  std::string text = "\nwhat stands in the way, the largest first:\n";
  const double latency = all.model.latency.quiet_s;
  for (std::size_t i = 0; i < std::min(kCausesShown, all.causes.size()); ++i) {
    const Cause& cause = all.causes[i];
    const double left = std::max(latency - cause.saved_s, latency * 0.01);
    text += fmt::format("{}. {}: {} now. Mended: {} less, {:.2f}x as fast, assuming {}.\n", i + 1,
                        cause.text, Time(cause.seconds), Time(cause.saved_s), latency / left,
                        cause.assumes);
  }
  return text;
}

Json Optional(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json BoundJson(const ModelBound& bound) {
  return {{"macs", bound.macs},
          {"int8_macs", bound.int8_macs},
          {"weight_bytes", bound.weight_bytes},
          {"bound_s", bound.seconds},
          {"bound_float32_s", bound.float32_seconds},
          {"bound_int8_s", bound.int8_seconds},
          {"float_multiplies", bound.float_multiplies}};
}

Json ModelJson(const ModelFacts& model) {
  Json json = {{"path", model.path}, {"format", model.format}};
  if (model.bound) json["roofline"] = BoundJson(*model.bound);
  if (model.runtime.empty()) return json;  // Only its file was looked at.
  json["runtime"] = model.runtime;
  json["engine"] = model.engine.name;
  json["engine_version"] = model.engine.version;
  json["size_bytes"] = model.size_bytes;
  json["latency"] = {{"runs", model.latency.runs},
                     {"median_s", model.latency.median_s},
                     {"p05_s", model.latency.low_s},
                     {"p95_s", model.latency.high_s},
                     {"quiet_s", model.latency.quiet_s}};
  json["operators"] = Json::array();
  for (const OperatorCost& op : model.operators) {
    json["operators"].push_back({{"name", op.name},
                                 {"op_type", op.op_type},
                                 {"dtype", op.dtype},
                                 {"kernel", op.kernel},
                                 {"seconds", op.seconds},
                                 {"macs", op.macs},
                                 {"bound_s", Optional(op.bound_s)}});
  }
  json["notes"] = model.notes;
  return json;
}

Json PeaksJson(const CpuPeaks& peaks) {
  Json memory = Json::array();
  for (const MemoryRate& rate : peaks.memory) {
    memory.push_back(
        {{"working_set_bytes", rate.working_set_bytes}, {"bytes_per_s", rate.bytes_per_s}});
  }
  return {{"threads", peaks.threads},
          {"float32_macs_per_s", peaks.float32_macs_per_s},
          {"float32_kernel", peaks.float32_kernel},
          {"int8_macs_per_s", peaks.int8_macs_per_s},
          {"int8_kernel", peaks.int8_kernel},
          {"memory", std::move(memory)}};
}

}  // namespace

std::string DescribeExplanation(const Explanation& all) {
  std::string text = DescribeModel("model", all.model);
  if (all.baseline) text += DescribeModel("baseline", *all.baseline);
  text += DescribeMachineText(all);
  if (all.model.bound) {
    text += DescribeBound(*all.model.bound);
    text +=
        fmt::format("{:<10} an inference reaches {} of that\n", "",
                    Percent(all.model.bound->seconds / std::max(1e-12, all.model.latency.quiet_s)));
  }
  text += DescribeFloats(all.model, all.has_int8);
  if (all.model.profiled) {
    if (!all.has_int8) text += "in int8    nothing: this model computes in float\n";
    text += DescribeOperators(all.model);
  }
  text += DescribeGain(all) + DescribeCauses(all);
  for (const std::string& note : all.model.notes) text += "note: " + note + "\n";
  for (const std::string& note : all.baseline ? all.baseline->notes : std::vector<std::string>{}) {
    text += "note (baseline): " + note + "\n";
  }
  return text;
}

std::string DescribeRoofline(const Explanation& all) {
  std::string text = DescribeMachineText(all);
  if (all.model.bound) {
    text = fmt::format("{:<10} {}\n", "model", all.model.path) + text +
           DescribeBound(*all.model.bound);
  }
  return text;
}

std::string ExplanationToJson(const Explanation& all) {
  Json json = {{"kind", "kenning-explanation"},
               {"version", 1},
               {"cpu", all.platform.cpu_model},
               {"features", all.platform.features},
               {"int8_dot_product", all.int8.dot_product},
               {"int8_saturates", all.int8.saturates},
               {"peaks", PeaksJson(all.peaks)}};
  if (!all.model.path.empty()) json["model"] = ModelJson(all.model);
  if (all.baseline) {
    json["baseline"] = ModelJson(*all.baseline);
    json["measured_gain"] = Optional(all.measured_gain);
    json["predicted_gain"] = Optional(all.predicted_gain);
  }
  if (all.model.profiled) {
    json["causes"] = Json::array();
    for (const Cause& cause : all.causes) {
      json["causes"].push_back({{"text", cause.text},
                                {"seconds", cause.seconds},
                                {"saved_s", cause.saved_s},
                                {"assumes", cause.assumes}});
    }
  }
  return json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace kenning
