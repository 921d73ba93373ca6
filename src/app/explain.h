// SPDX-License-Identifier: Apache-2.0
/// \file
/// Why a model is as fast as it is: times of its operators against the roofline of this machine,
/// and what stands in the way of a faster one.
#pragma once

#include <map>
#include <optional>

#include "app/loaded_model.h"
#include "kenning/core/platform.h"
#include "measure/roofline.h"

namespace kenning {

struct ExplainOptions {
  LoadRequest model;
  std::optional<LoadRequest> baseline;  ///< The same model in float32.
  int num_threads = 1;
  double seconds = 2;  ///< Of measuring, each model.
  std::uint64_t seed = 0;
};

/// What an operator is to int8.
enum class OperatorKind : std::uint8_t {
  kMultiply,    ///< Convolution, matrix product: where the multiply-adds are.
  kConversion,  ///< Quantize, dequantize, and conversions of types.
  kLayout,      ///< Transpose, reorder, reshape, copy.
  kOther,
};
OperatorKind KindOfOperator(std::string_view op_type);

/// One operator of the engine, which may be several of the model's.
struct OperatorCost {
  std::string name;
  std::string op_type;
  std::string dtype;  ///< Empty where neither the profile nor the model's file says it.
  std::string kernel;
  OperatorKind kind = OperatorKind::kOther;
  double seconds = 0;  ///< Of one inference.
  std::uint64_t macs = 0;
  std::optional<double> bound_s;  ///< Where the model's file has the operator under this name.
};

/// Operators of one type and dtype.
struct OperatorGroup {
  std::string op_type;
  std::string dtype;
  std::size_t count = 0;
  double seconds = 0;
  std::uint64_t macs = 0;
  std::optional<double> bound_s;  ///< Where all of the group's operators have one.
};

/// Lower bounds of one inference from the model's file: of its convolutions and matrix products.
/// The rest counts for nothing: an engine may fuse it into them.
struct ModelBound {
  std::uint64_t macs = 0;
  std::uint64_t int8_macs = 0;
  std::uint64_t weight_bytes = 0;
  double seconds = 0;                         ///< With the types that the model has.
  double float32_seconds = 0;                 ///< If everything were float32.
  double int8_seconds = 0;                    ///< If everything were int8.
  std::vector<std::string> float_multiplies;  ///< Names, largest first.
};

struct LatencyFacts {
  std::size_t runs = 0;
  double median_s = 0;
  double low_s = 0;    ///< 5 %
  double high_s = 0;   ///< 95 %
  double quiet_s = 0;  ///< Median of the quietest round: what operators are compared with.
  /// Whether other work on the machine changed the figures.
  bool disturbed() const { return median_s > 1.2 * quiet_s; }
};

/// Facts of one model.
struct ModelFacts {
  std::string path;
  std::string format;
  std::string runtime;
  EngineVersion engine;
  std::uint64_t size_bytes = 0;
  LatencyFacts latency;
  bool profiled = false;
  std::vector<OperatorCost> operators;  ///< Slowest first.
  /// What the profiler adds, taken off: latency over the operators' sum, at most 1.
  double profile_scale() const;
  std::optional<ModelBound> bound;
  std::vector<std::string> notes;  ///< What is not known, and why.
};

/// One thing that stands in the way.
struct Cause {
  std::string text;
  double seconds = 0;   ///< What it takes now.
  double saved_s = 0;   ///< Predicted, if it were mended.
  std::string assumes;  ///< What the prediction rests on.
};

struct Explanation {
  PlatformInfo platform;
  Int8Support int8;
  CpuPeaks peaks;
  ModelFacts model;
  std::optional<ModelFacts> baseline;
  bool has_int8 = false;                 ///< Whether the model computes in int8 anywhere.
  std::optional<double> measured_gain;   ///< Baseline's latency over the model's.
  std::optional<double> predicted_gain;  ///< The same of the bounds.
  std::vector<Cause> causes;             ///< Largest saving first.
};

/// Pure: costs from a profile and the model's operators. `runs` inferences went into the profile.
/// `graph` may be null.
std::vector<OperatorCost> CostsOf(const std::vector<OperatorProfile>& profile, std::size_t runs,
                                  const GraphInfo* graph, const CpuPeaks& peaks);
/// Pure: sums of bounds over a graph.
ModelBound BoundOf(const GraphInfo& graph, const CpuPeaks& peaks);
std::vector<OperatorGroup> GroupCosts(const std::vector<OperatorCost>& operators);
/// Pure: fills gains and causes from the other facts.
void FindCauses(Explanation& explanation);

/// Measures. \return kCancelled, and what loading and running give.
Result<Explanation> ExplainModel(const ExplainOptions& options, AppContext& context);
/// The machine alone, and the bounds of a model where `uri` is not empty.
Result<Explanation> ExplainRoofline(const LoadRequest& model, int num_threads, AppContext& context);

std::string DescribeExplanation(const Explanation& explanation);
std::string DescribeRoofline(const Explanation& explanation);
std::string ExplanationToJson(const Explanation& explanation);

}  // namespace kenning
