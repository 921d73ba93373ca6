// SPDX-License-Identifier: Apache-2.0
#include "check_scales.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "operators.h"

namespace kenning::tflite {
namespace {

bool IsQuantisedType(TensorType type) {
  return type == TensorType::kInt8 || type == TensorType::kUint8 || type == TensorType::kInt16;
}

class ScaleChecker {
 public:
  ScaleChecker(const FileSubgraph& graph, const FileOperator& op) : graph_(graph), op_(op) {}

  /// What is wrong; empty where nothing is.
  std::string Check() const {
    if (op_.inputs.empty() || op_.outputs.empty() || op_.inputs[0] < 0) return "";
    if (!IsQuantisedType(At(op_.inputs[0]).type)) return "";
    switch (op_.builtin) {
      case kAdd:
      case kSub:
        return CheckSum(1);
      case kSquaredDifference:
        return CheckSum(2);
      case kLess:
      case kGreater:
      case kLessEqual:
      case kGreaterEqual:
      case kEqual:
      case kNotEqual:
        return CheckComparison();
      case kSoftmax:
      case kLogSoftmax:
        return CheckSoftmax();
      default:
        return "";
    }
  }

 private:
  const FileTensor& At(std::int32_t index) const {
    return graph_.tensors[static_cast<std::size_t>(index)];
  }
  /// 0 where the tensor has none.
  double Scale(std::int32_t index) const {
    if (index < 0 || !At(index).quant) return 0;
    return static_cast<double>(At(index).quant->scale.front());
  }

  /// The kernels scale both inputs to twice the greater scale, and that to the output's; the last
  /// factor must be below one.
  std::string CheckSum(int power) const {
    if (op_.inputs.size() < 2) return "has one input";
    const double a = Scale(op_.inputs[0]);
    const double b = Scale(op_.inputs[1]);
    const double out = Scale(op_.outputs[0]);
    if (a <= 0 || b <= 0 || out <= 0) return "computes in integers without scales";
    const double room = At(op_.outputs[0]).type == TensorType::kInt16 || power == 2 ? 14 : 20;
    if (std::pow(2 * std::max(a, b), power) / std::exp2(room) >= out) {
      return fmt::format("goes from scales {:.3g} and {:.3g} to {:.3g}", a, b, out);
    }
    return "";
  }

  std::string CheckComparison() const {
    for (const std::int32_t input : op_.inputs) {
      const double scale = Scale(input);
      if (scale <= 0 || scale >= 1) return fmt::format("compares at the scale {:.3g}", scale);
    }
    return "";
  }

  std::string CheckSoftmax() const {
    const double scale = Scale(op_.inputs[0]) * op_.softmax_beta;
    if (!(scale * std::exp2(26) > 1) || !std::isfinite(scale)) {
      return fmt::format("has the scale {:.3g} and the factor {:.3g}", Scale(op_.inputs[0]),
                         op_.softmax_beta);
    }
    return "";
  }

  const FileSubgraph& graph_;
  const FileOperator& op_;
};

}  // namespace

Result<> CheckScales(const FileSubgraph& graph, const std::string& name) {
  for (std::size_t i = 0; i < graph.operators.size(); ++i) {
    const FileOperator& op = graph.operators[i];
    const std::string wrong = ScaleChecker(graph, op).Check();
    if (wrong.empty()) continue;
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: broken TensorFlow Lite model: operator {} ({}) {}", name, i,
                            op.op_type, wrong));
  }
  return {};
}

}  // namespace kenning::tflite
