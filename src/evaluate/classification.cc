// SPDX-License-Identifier: Apache-2.0
#include "evaluate/classification.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace kenning {
namespace {

constexpr std::size_t kTop = 5;
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

class ClassificationEvaluator final : public Evaluator {
 public:
  explicit ClassificationEvaluator(std::vector<std::string> class_names) {
    const std::size_t classes = class_names.size();
    result_.class_names = std::move(class_names);
    result_.confusion.assign(classes, std::vector<std::uint64_t>(classes, 0));
  }

  Result<> Add(const Prediction& prediction, const GroundTruth& truth) override {
    const std::size_t classes = result_.class_names.size();
    const auto* label = std::get_if<ClassTruth>(&truth);
    const auto* scores = std::get_if<ClassScores>(&prediction.value);
    if (label == nullptr || scores == nullptr) {
      return Fail(ErrorCode::kInvalidData, "not a classification sample");
    }
    if (label->label < 0 || static_cast<std::size_t>(label->label) >= classes) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("label {} is outside of the {} classes", label->label, classes));
    }
    if (scores->scores.size() != classes) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("the model gives {} scores, the dataset has {} classes",
                              scores->scores.size(), classes));
    }
    Count(prediction, scores->scores, label->label);
    return {};
  }

  ClassificationEvaluation Finish() override { return std::move(result_); }

 private:
  void Count(const Prediction& prediction, const std::vector<float>& scores, std::int32_t label) {
    ++result_.total;
    result_.ids.push_back(prediction.id);
    result_.truth.push_back(label);
    if (prediction.non_finite > 0) {
      // A NaN has no rank: the sample is wrong, and no class is blamed for it.
      ++result_.non_finite_samples;
      result_.predicted.push_back(-1);
      return;
    }
    const auto best = std::ranges::max_element(scores);
    const auto predicted = static_cast<std::int32_t>(best - scores.begin());
    result_.predicted.push_back(predicted);
    ++result_.confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(predicted)];
    // In the top five if fewer than five classes rank before the true one.
    const float own = scores[static_cast<std::size_t>(label)];
    std::size_t before = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const bool earlier = static_cast<std::int32_t>(i) < label;
      if (scores[i] > own || (scores[i] == own && earlier)) ++before;
    }
    if (before < kTop) ++result_.top5_correct;
  }

  ClassificationEvaluation result_;
};

double MeanOfDefined(const std::vector<double>& values) {
  double sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return count == 0 ? kUndefined : sum / static_cast<double>(count);
}

double GeometricMeanOfDefined(const std::vector<double>& values) {
  double log_sum = 0;
  std::size_t count = 0;
  for (const double value : values) {
    if (std::isnan(value)) continue;
    if (value == 0) return 0;
    log_sum += std::log(value);
    ++count;
  }
  return count == 0 ? kUndefined : std::exp(log_sum / static_cast<double>(count));
}

double Ratio(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? kUndefined : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

std::unique_ptr<Evaluator> MakeClassificationEvaluator(std::vector<std::string> class_names) {
  return std::make_unique<ClassificationEvaluator>(std::move(class_names));
}

ClassificationMetrics ComputeMetrics(const ClassificationEvaluation& evaluation) {
  const std::size_t classes = evaluation.confusion.size();
  std::vector<std::uint64_t> predicted(classes, 0);
  std::vector<std::uint64_t> present(classes, 0);
  // Samples without a prediction are in no column of the matrix, but they are present.
  if (evaluation.truth.empty()) {
    for (std::size_t t = 0; t < classes; ++t) {
      for (const std::uint64_t count : evaluation.confusion[t]) present[t] += count;
    }
  }
  for (const std::int32_t label : evaluation.truth) ++present[static_cast<std::size_t>(label)];
  std::uint64_t right = 0;
  for (std::size_t t = 0; t < classes; ++t) {
    right += evaluation.confusion[t][t];
    for (std::size_t p = 0; p < classes; ++p) predicted[p] += evaluation.confusion[t][p];
  }
  ClassificationMetrics metrics;
  metrics.accuracy = Ratio(right, evaluation.total);
  metrics.top5_accuracy = Ratio(evaluation.top5_correct, evaluation.total);
  for (std::size_t c = 0; c < classes; ++c) {
    const std::uint64_t hits = evaluation.confusion[c][c];
    metrics.precision.push_back(Ratio(hits, predicted[c]));
    metrics.sensitivity.push_back(Ratio(hits, present[c]));
    metrics.f1.push_back(Ratio(2 * hits, predicted[c] + present[c]));
  }
  metrics.mean_precision = MeanOfDefined(metrics.precision);
  metrics.mean_sensitivity = MeanOfDefined(metrics.sensitivity);
  metrics.g_mean = GeometricMeanOfDefined(metrics.sensitivity);
  metrics.macro_f1 = MeanOfDefined(metrics.f1);
  return metrics;
}

}  // namespace kenning
