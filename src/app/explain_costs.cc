// SPDX-License-Identifier: Apache-2.0
// The pure half of explain: from profiles and graphs to costs and causes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <unordered_map>

#include "app/explain.h"
#include "evaluate/tensor_diff.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr double kNsPerS = 1e9;
/// Share of the peak that well-tuned convolution kernels reach on large layers; used only where
/// there is no baseline to compare with.
constexpr double kGoodShare = 0.5;

bool Contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool IsInt8Name(std::string_view dtype) { return dtype == "int8" || dtype == "uint8"; }

OperatorWork WorkOf(const OperatorInfo& op) {
  return {op.macs, op.weight_bytes + op.activation_bytes, op.dtype};
}

/// The same operator in another type: bytes change with the size of an element.
OperatorWork WorkAs(const OperatorInfo& op, DType dtype) {
  OperatorWork work = WorkOf(op);
  const std::size_t old_size = std::max<std::size_t>(1, DTypeSize(op.dtype));
  work.bytes = work.bytes / old_size * DTypeSize(dtype);
  work.dtype = dtype;
  return work;
}

/// Weights are read once an inference, so that all of them compete for the caches.
std::uint64_t WorkingSet(const GraphInfo& graph) {
  std::uint64_t weights = 0;
  std::uint64_t largest = 0;
  for (const OperatorInfo& op : graph.operators) {
    weights += op.weight_bytes;
    largest = std::max(largest, op.activation_bytes);
  }
  return weights + largest;
}

/// "conv_token_12" and "conv_nchwc" -> "conv": what ONNX Runtime adds to the name of a node that it
/// replaces.
std::string WithoutToken(std::string name) {
  constexpr std::string_view kLayout = "_nchwc";
  if (name.ends_with(kLayout)) name.resize(name.size() - kLayout.size());
  constexpr std::string_view kToken = "_token_";
  const std::size_t at = name.rfind(kToken);
  if (at == std::string::npos || at == 0) return name;
  const std::string_view number = std::string_view(name).substr(at + kToken.size());
  const bool digits =
      !number.empty() && std::ranges::all_of(number, [](char c) { return c >= '0' && c <= '9'; });
  return digits ? name.substr(0, at) : name;
}

/// "Convolution (NHWC, QS8) #12" -> 12; -1 where a name has no number.
long NumberIn(const std::string& name) {
  const std::size_t at = name.rfind('#');
  if (at == std::string::npos) return -1;
  long number = -1;
  std::from_chars(name.data() + at + 1, name.data() + name.size(), number);
  return number;
}

/// Which of the model's operators each of the engine's is: by name, or by order among multiplies
/// where the engine numbers its operators and both have as many.
class Alignment {
 public:
  Alignment(const std::vector<OperatorProfile>& profile, const GraphInfo& graph) {
    for (const OperatorInfo& op : graph.operators) {
      for (const std::string& name : NamesOf(op)) by_name_.emplace(name, &op);
      for (const std::string& output : op.outputs) producer_.emplace(output, &op);
    }
    ByOrder(profile, graph);
  }

  const OperatorInfo* Find(const OperatorProfile& op) const {
    if (const auto it = by_order_.find(&op); it != by_order_.end()) return it->second;
    const OperatorInfo* found = ByName(op.name);
    if (KindOfOperator(op.op_type) != OperatorKind::kMultiply) return found;
    // A convolution may have the name of the activation that was fused into it.
    for (int step = 0; step < 3 && found != nullptr; ++step) {
      if (KindOfOperator(found->op_type) == OperatorKind::kMultiply) return found;
      const auto it = found->inputs.empty() ? producer_.end() : producer_.find(found->inputs[0]);
      found = it == producer_.end() ? nullptr : it->second;
    }
    return found;
  }

 private:
  static std::vector<std::string> NamesOf(const OperatorInfo& op) {
    std::vector<std::string> names = {op.name};
    for (const std::string& output : op.outputs) names.push_back(output);
    for (std::string& part : PlainTensorNames(op.name)) names.push_back(std::move(part));
    return names;
  }

  const OperatorInfo* ByName(const std::string& name) const {
    std::vector<std::string> candidates = {name, WithoutToken(name)};
    for (std::string& part : PlainTensorNames(name)) candidates.push_back(std::move(part));
    for (const std::string& candidate : candidates) {
      if (const auto it = by_name_.find(candidate); it != by_name_.end()) return it->second;
    }
    return nullptr;
  }

  void ByOrder(const std::vector<OperatorProfile>& profile, const GraphInfo& graph) {
    std::map<long, const OperatorProfile*> engine;
    for (const OperatorProfile& op : profile) {
      if (KindOfOperator(op.op_type) != OperatorKind::kMultiply) continue;
      const long number = NumberIn(op.name);
      if (number < 0 || !engine.emplace(number, &op).second) return;
    }
    std::vector<const OperatorInfo*> model;
    for (const OperatorInfo& op : graph.operators) {
      if (KindOfOperator(op.op_type) == OperatorKind::kMultiply) model.push_back(&op);
    }
    if (model.size() != engine.size()) return;
    std::size_t i = 0;
    for (const auto& [number, op] : engine) by_order_[op] = model[i++];
  }

  std::unordered_map<std::string, const OperatorInfo*> by_name_;
  std::unordered_map<std::string, const OperatorInfo*> producer_;  ///< By tensor.
  std::unordered_map<const OperatorProfile*, const OperatorInfo*> by_order_;
};

struct Totals {
  std::size_t count = 0;
  double seconds = 0;
  double bound_s = 0;
  bool bounded = true;
};

template <typename Predicate>
Totals SumOf(const std::vector<OperatorCost>& operators, Predicate wanted) {
  Totals totals;
  for (const OperatorCost& op : operators) {
    if (!wanted(op)) continue;
    ++totals.count;
    totals.seconds += op.seconds;
    totals.bound_s += op.bound_s.value_or(0);
    totals.bounded = totals.bounded && op.bound_s.has_value();
  }
  totals.bounded = totals.bounded && totals.count > 0;
  return totals;
}

bool IsMultiply(const OperatorCost& op) { return op.kind == OperatorKind::kMultiply; }
bool IsFloat(const OperatorCost& op) { return op.dtype == "float32" || op.dtype == "float16"; }

/// What share of the roofline the multiplies of a model reach; empty where it is not known.
std::optional<double> MultiplyShare(const ModelFacts& model) {
  const Totals multiplies = SumOf(model.operators, IsMultiply);
  if (multiplies.seconds <= 0) return std::nullopt;
  if (multiplies.bounded) return multiplies.bound_s / multiplies.seconds;
  if (model.bound && model.bound->seconds > 0) {
    return model.bound->seconds / multiplies.seconds;
  }
  return std::nullopt;
}

class CauseFinder {
 public:
  explicit CauseFinder(Explanation& explanation)
      : all_(explanation),
        model_(explanation.model),
        latency_(model_.latency.quiet_s),
        scale_(model_.profile_scale()) {}

  void Run() {
    if (model_.profiled) {
      FloatMultiplies();
      Conversions();
      FloatOthers();
      Layout();
      SlowMultiplies();
      Overhead();
    }
    MissingInstructions();
    std::erase_if(all_.causes, [this](const Cause& cause) {
      return cause.saved_s < latency_ / 200;  // Below half a percent nothing is gained.
    });
    std::ranges::stable_sort(all_.causes,
                             [](const Cause& a, const Cause& b) { return a.saved_s > b.saved_s; });
  }

 private:
  void Add(std::string text, double seconds, double saved_s, std::string assumes) {
    all_.causes.push_back(
        {std::move(text), seconds * scale_, saved_s * scale_, std::move(assumes)});
  }

  double PeakRatio() const {
    return all_.peaks.float32_macs_per_s > 0
               ? all_.peaks.int8_macs_per_s / all_.peaks.float32_macs_per_s
               : 1;
  }

  void FloatMultiplies() {
    const Totals floats =
        SumOf(model_.operators, [](const auto& op) { return IsMultiply(op) && IsFloat(op); });
    if (floats.count == 0) return;
    Add(fmt::format("{} {} computed in float{}", floats.count,
                    floats.count == 1 ? "convolution or matrix product is"
                                      : "convolutions or matrix products are",
                    all_.has_int8 ? ", though others are int8" : ""),
        floats.seconds, floats.seconds * (1 - 1 / std::max(1.0, PeakRatio())),
        fmt::format("int8 kernels that reach the same share of a peak {:.1f} times as high",
                    PeakRatio()));
  }

  void Conversions() {
    const Totals all = SumOf(model_.operators,
                             [](const auto& op) { return op.kind == OperatorKind::kConversion; });
    if (all.count == 0 || !all_.has_int8) return;
    Add(fmt::format("{} quantize or dequantize {} on its own{}", all.count,
                    all.count == 1 ? "operator runs" : "operators run each",
                    all.count <= 2
                        ? " (one at each end is usual where inputs and outputs are float)"
                        : ": pairs that the engine did not fuse into its operators"),
        all.seconds, all.seconds,
        all.count <= 2 ? "inputs and outputs of the model are int8" : "all of them are fused");
  }

  void FloatOthers() {
    if (!all_.has_int8) return;
    const Totals floats = SumOf(model_.operators, [](const auto& op) {
      return op.kind == OperatorKind::kOther && IsFloat(op);
    });
    if (floats.count == 0) return;
    Add(fmt::format("{} other {} left in float", floats.count,
                    floats.count == 1 ? "operator is" : "operators are"),
        floats.seconds, floats.seconds * 0.75, "they move a quarter of the bytes as int8");
  }

  void Layout() {
    const Totals moves =
        SumOf(model_.operators, [](const auto& op) { return op.kind == OperatorKind::kLayout; });
    if (moves.count == 0) return;
    Add(fmt::format("{} {} data about without computing (transpose, reorder, reshape, copy)",
                    moves.count, moves.count == 1 ? "operator moves" : "operators move"),
        moves.seconds, moves.seconds, "a model in the layout that the engine computes in");
  }

  /// int8 multiplies that reach less of their peak than the float ones of the baseline of theirs.
  void SlowMultiplies() {
    const Totals multiplies =
        SumOf(model_.operators, [](const auto& op) { return IsMultiply(op) && !IsFloat(op); });
    if (multiplies.count == 0 || !all_.has_int8) return;
    const bool all_int8 = SumOf(model_.operators, IsMultiply).count == multiplies.count;
    const auto share = multiplies.bounded ? std::optional(multiplies.bound_s / multiplies.seconds)
                       : all_int8         ? MultiplyShare(model_)
                                          : std::nullopt;
    if (!share || *share <= 0) return;
    const auto base = all_.baseline ? MultiplyShare(*all_.baseline) : std::nullopt;
    const double wanted = std::min(1.0, base.value_or(kGoodShare));
    if (*share >= wanted) return;
    Add(fmt::format("int8 convolutions and matrix products reach {:.0f} % of this machine's "
                    "roofline{}",
                    *share * 100,
                    base ? fmt::format(", the baseline's {:.0f} %", *base * 100) : ""),
        multiplies.seconds, multiplies.seconds * (1 - *share / wanted),
        base ? "int8 kernels as close to the roofline as the baseline's"
             : fmt::format("kernels that reach {:.0f} %", kGoodShare * 100));
  }

  void Overhead() {
    const Totals all = SumOf(model_.operators, [](const auto&) { return true; });
    const double outside = latency_ - all.seconds * scale_;
    // Beside other work the difference is that work's, or chance.
    if (outside <= 0 || model_.latency.disturbed()) return;
    Add("time of an inference that is in no operator: scheduling, threads, copies", outside,
        outside, "an engine without overhead; the profiler hides a part of it");
  }

  void MissingInstructions() {
    if (all_.int8.dot_product || all_.platform.architecture != "x86_64") return;
    const Totals multiplies = SumOf(
        model_.operators, [](const auto& op) { return IsMultiply(op) && IsInt8Name(op.dtype); });
    if (multiplies.count == 0) return;
    Add("this CPU has no VNNI: an int8 dot product takes three instructions instead of one",
        multiplies.seconds, multiplies.seconds * 2 / 3,
        "a CPU with VNNI, and kernels that are bound by their multiplies");
  }

  Explanation& all_;
  const ModelFacts& model_;
  double latency_;
  double scale_;
};

}  // namespace

double ModelFacts::profile_scale() const {
  double total = 0;
  for (const OperatorCost& op : operators) total += op.seconds;
  return total > latency.quiet_s && total > 0 ? latency.quiet_s / total : 1;
}

OperatorKind KindOfOperator(std::string_view op_type) {
  const std::string type = ToLower(op_type);
  if (Contains(type, "quantize") || Contains(type, "convert") || type == "cast") {
    return OperatorKind::kConversion;
  }
  for (const char* word : {"conv", "gemm", "matmul", "fully_connected", "fullyconnected",
                           "fully connected", "innerproduct", "addmm", "::linear", "::bmm"}) {
    if (Contains(type, word)) return OperatorKind::kMultiply;
  }
  for (const char* word : {"transpose", "reorder", "reshape", "permute", "copy", "flatten"}) {
    if (Contains(type, word)) return OperatorKind::kLayout;
  }
  return OperatorKind::kOther;
}

ModelBound BoundOf(const GraphInfo& graph, const CpuPeaks& peaks) {
  ModelBound bound;
  const std::uint64_t working_set = WorkingSet(graph);
  std::vector<const OperatorInfo*> floats;
  for (const OperatorInfo& op : graph.operators) {
    bound.macs += op.macs;
    bound.weight_bytes += op.weight_bytes;
    if (IsInt8(op.dtype)) bound.int8_macs += op.macs;
    if (KindOfOperator(op.op_type) != OperatorKind::kMultiply) continue;
    bound.seconds += LowerBoundSeconds(WorkOf(op), peaks, working_set);
    bound.float32_seconds += LowerBoundSeconds(WorkAs(op, DType::kFloat32), peaks, working_set);
    bound.int8_seconds += LowerBoundSeconds(WorkAs(op, DType::kInt8), peaks, working_set);
    if (!IsInt8(op.dtype)) floats.push_back(&op);
  }
  std::ranges::stable_sort(floats, [](const auto* a, const auto* b) { return a->macs > b->macs; });
  for (const OperatorInfo* op : floats) bound.float_multiplies.push_back(op->name);
  return bound;
}

std::vector<OperatorCost> CostsOf(const std::vector<OperatorProfile>& profile, std::size_t runs,
                                  const GraphInfo* graph, const CpuPeaks& peaks) {
  static const GraphInfo kEmpty;
  const Alignment alignment(profile, graph == nullptr ? kEmpty : *graph);
  const std::uint64_t working_set = graph == nullptr ? 0 : WorkingSet(*graph);
  std::vector<OperatorCost> costs;
  std::set<const OperatorInfo*> used;
  for (const OperatorProfile& op : profile) {
    OperatorCost cost{
        .name = op.name, .op_type = op.op_type, .dtype = op.dtype, .kernel = op.kernel};
    cost.kind = KindOfOperator(op.op_type);
    cost.seconds = static_cast<double>(op.total_ns) / kNsPerS /
                   static_cast<double>(std::max<std::size_t>(1, runs));
    const OperatorInfo* info = alignment.Find(op);
    // A name that two of the engine's operators share is the model's operator for the one alone
    // that is of its kind.
    if (info != nullptr && KindOfOperator(info->op_type) == cost.kind && used.insert(info).second) {
      cost.macs = info->macs;
      cost.bound_s = LowerBoundSeconds(WorkOf(*info), peaks, working_set);
      if (cost.dtype.empty()) cost.dtype = DTypeName(info->dtype);
    }
    costs.push_back(std::move(cost));
  }
  std::ranges::stable_sort(
      costs, [](const OperatorCost& a, const OperatorCost& b) { return a.seconds > b.seconds; });
  return costs;
}

std::vector<OperatorGroup> GroupCosts(const std::vector<OperatorCost>& operators) {
  std::map<std::pair<std::string, std::string>, OperatorGroup> groups;
  for (const OperatorCost& op : operators) {
    OperatorGroup& group = groups[{op.op_type, op.dtype}];
    if (group.count == 0) {
      group.op_type = op.op_type;
      group.dtype = op.dtype;
      group.bound_s = 0;
    }
    ++group.count;
    group.seconds += op.seconds;
    group.macs += op.macs;
    group.bound_s =
        group.bound_s && op.bound_s ? std::optional(*group.bound_s + *op.bound_s) : std::nullopt;
  }
  std::vector<OperatorGroup> sorted;
  for (auto& [key, group] : groups) sorted.push_back(std::move(group));
  std::ranges::stable_sort(
      sorted, [](const OperatorGroup& a, const OperatorGroup& b) { return a.seconds > b.seconds; });
  return sorted;
}

void FindCauses(Explanation& explanation) {
  const ModelFacts& model = explanation.model;
  explanation.has_int8 = (model.bound && model.bound->int8_macs > 0) ||
                         std::ranges::any_of(model.operators, [](const OperatorCost& op) {
                           return IsInt8Name(op.dtype) && op.kind != OperatorKind::kConversion;
                         });
  if (explanation.baseline) {
    const ModelFacts& base = *explanation.baseline;
    if (model.latency.median_s > 0) {
      explanation.measured_gain = base.latency.median_s / model.latency.median_s;
    }
    if (model.bound && base.bound && model.bound->seconds > 0) {
      explanation.predicted_gain = base.bound->seconds / model.bound->seconds;
    }
  }
  CauseFinder(explanation).Run();
}

}  // namespace kenning
