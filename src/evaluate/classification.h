// SPDX-License-Identifier: Apache-2.0
/// \file
/// Evaluator for classification, and the metrics of its confusion matrix.
#pragma once

#include <memory>

#include "kenning/core/evaluation.h"

namespace kenning {

/// Counts the highest score as the prediction (ties: lowest index, as argmax does).
/// \return kInvalidData for a label outside the classes or a score count that differs.
std::unique_ptr<Evaluator> MakeClassificationEvaluator(std::vector<std::string> class_names);

/// Metrics of a confusion matrix; NaN where undefined (a class without samples is left out of
/// means).
struct ClassificationMetrics {
  double accuracy = 0;
  double top5_accuracy = 0;
  std::vector<double> precision;    ///< Per class: of what was predicted so, the part that is.
  std::vector<double> sensitivity;  ///< Per class (recall).
  std::vector<double> f1;
  double mean_precision = 0;
  double mean_sensitivity = 0;
  double g_mean = 0;  ///< Geometric mean of the sensitivities.
  double macro_f1 = 0;
};
ClassificationMetrics ComputeMetrics(const ClassificationEvaluation& evaluation);

}  // namespace kenning
