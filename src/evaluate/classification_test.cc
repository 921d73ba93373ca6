// SPDX-License-Identifier: Apache-2.0
#include "evaluate/classification.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::Pointwise;

// Independent vectors: scikit-learn 1.x (accuracy_score, top_k_accuracy_score, precision_score,
// recall_score, f1_score, confusion_matrix) over 40 samples of 6 classes:
//   rng = numpy.random.default_rng(3); y = rng.integers(0, 6, 40)
//   s = numpy.round(rng.normal(size=(40, 6)) + 1.2 * numpy.eye(6)[y], 2)
constexpr std::array<int, 40> kTruth = {4, 0, 1, 1, 1, 4, 5, 3, 0, 0, 1, 2, 3, 2, 1, 0, 4, 4, 0, 0,
                                        2, 2, 5, 3, 2, 2, 3, 3, 1, 4, 4, 5, 4, 1, 1, 3, 3, 4, 5, 1};
constexpr std::array<float, 240> kScores = {
    0.02F,  1.55F,  0.55F,  -0.51F, 1.02F,  0.54F,  3.14F,  -0.27F, -0.24F, 1.00F,  -0.89F, -0.29F,
    0.88F,  1.78F,  0.09F,  0.67F,  -2.83F, 1.02F,  -0.96F, -0.47F, 0.28F,  0.70F,  -0.44F, -1.08F,
    0.03F,  1.15F,  1.41F,  0.75F,  0.19F,  1.11F,  -0.21F, -0.93F, 0.58F,  0.58F,  0.99F,  -0.78F,
    0.23F,  -2.49F, 0.69F,  0.49F,  -1.64F, 1.26F,  -0.96F, 0.76F,  -2.03F, 0.29F,  0.71F,  1.16F,
    -0.96F, -0.50F, 0.33F,  -0.61F, 1.59F,  -1.19F, 1.55F,  -1.05F, 1.41F,  -0.02F, -0.37F, -1.72F,
    1.68F,  1.95F,  0.75F,  1.14F,  0.35F,  -0.64F, -0.80F, -0.80F, 2.57F,  -1.46F, -0.60F, -0.32F,
    0.22F,  0.58F,  -1.25F, -0.53F, -0.00F, 1.21F,  0.76F,  0.22F,  0.88F,  0.29F,  -0.24F, 0.82F,
    -0.79F, 1.33F,  -0.11F, 0.54F,  0.22F,  2.55F,  2.70F,  1.50F,  -2.04F, -0.34F, -0.61F, 0.53F,
    -2.28F, 1.17F,  1.07F,  -1.30F, 0.22F,  -0.80F, 0.04F,  0.64F,  2.05F,  -0.20F, 1.97F,  0.16F,
    2.96F,  0.74F,  1.37F,  -1.08F, -0.19F, -0.81F, 2.70F,  0.66F,  -0.31F, -0.45F, 0.48F,  -0.70F,
    -0.93F, 0.48F,  3.66F,  -0.25F, -0.56F, -1.17F, -1.34F, 0.52F,  2.05F,  0.01F,  0.33F,  0.12F,
    0.14F,  -1.53F, -0.46F, 0.11F,  -0.78F, 0.72F,  -0.82F, -0.33F, 0.85F,  0.79F,  -0.15F, 0.81F,
    0.64F,  1.70F,  -0.89F, 0.86F,  -0.48F, 0.13F,  0.84F,  1.08F,  2.24F,  0.16F,  1.61F,  -0.28F,
    -0.14F, 0.80F,  -0.55F, 3.36F,  1.02F,  2.18F,  -0.03F, -0.38F, 0.17F,  1.93F,  -0.59F, 0.38F,
    -0.02F, 2.82F,  -0.66F, 1.05F,  -0.64F, -0.96F, -0.71F, -1.19F, 0.15F,  1.03F,  1.36F,  0.62F,
    1.63F,  0.27F,  0.20F,  -0.28F, -0.41F, 0.76F,  -1.76F, 0.65F,  -0.01F, 1.13F,  -0.07F, 0.38F,
    0.36F,  -0.56F, -0.18F, 0.04F,  1.07F,  -0.19F, -0.83F, 1.01F,  -2.14F, -0.16F, -1.20F, 1.12F,
    1.27F,  -0.75F, 0.14F,  -0.13F, -1.05F, 0.53F,  -0.46F, -1.77F, -0.27F, 1.05F,  0.11F,  -1.23F,
    0.62F,  0.74F,  -1.15F, 0.54F,  -0.08F, -0.57F, 1.74F,  0.21F,  -1.01F, -0.79F, 1.14F,  2.30F,
    -0.18F, 0.13F,  0.51F,  -0.04F, 2.28F,  0.67F,  0.74F,  1.36F,  0.62F,  -1.18F, 1.77F,  -0.12F};

const std::vector<std::string> kNames = {"a", "b", "c", "d", "e", "f"};

ClassificationEvaluation EvaluateVectors() {
  const auto evaluator = MakeClassificationEvaluator(kNames);
  for (std::size_t i = 0; i < kTruth.size(); ++i) {
    const auto begin = kScores.begin() + static_cast<std::ptrdiff_t>(6 * i);
    EXPECT_TRUE(evaluator->Add({static_cast<SampleId>(i), ClassScores{{begin, begin + 6}}, 0},
                               ClassTruth{kTruth[i]}));
  }
  return evaluator->Finish();
}

TEST(ClassificationTest, AgreesWithScikitLearn) {
  const ClassificationEvaluation evaluation = EvaluateVectors();
  EXPECT_THAT(evaluation.confusion,
              ElementsAre(ElementsAre(5, 0, 0, 0, 1, 0), ElementsAre(1, 3, 1, 1, 1, 2),
                          ElementsAre(0, 1, 5, 0, 0, 0), ElementsAre(0, 1, 1, 3, 0, 2),
                          ElementsAre(1, 2, 1, 0, 3, 1), ElementsAre(0, 0, 0, 1, 1, 2)));
  const ClassificationMetrics metrics = ComputeMetrics(evaluation);
  EXPECT_DOUBLE_EQ(metrics.accuracy, 0.525);
  EXPECT_DOUBLE_EQ(metrics.top5_accuracy, 0.95);
  EXPECT_THAT(metrics.precision,
              Pointwise(testing::DoubleEq(), {0.7142857142857143, 0.42857142857142855, 0.625, 0.6,
                                              0.5, 0.2857142857142857}));
  EXPECT_THAT(
      metrics.sensitivity,
      Pointwise(testing::DoubleEq(), {0.8333333333333334, 0.3333333333333333, 0.8333333333333334,
                                      0.42857142857142855, 0.375, 0.5}));
  EXPECT_THAT(metrics.mean_precision, testing::DoubleNear(0.5255952380952381, 1e-12));
  EXPECT_THAT(metrics.mean_sensitivity, testing::DoubleNear(0.550595238095238, 1e-12));
  EXPECT_THAT(metrics.g_mean, testing::DoubleNear(0.5147426135818576, 1e-12));
  EXPECT_THAT(metrics.macro_f1, testing::DoubleNear(0.5251207126207126, 1e-12));
}

TEST(ClassificationTest, NonFiniteOutputsCountAsWrong) {
  const auto evaluator = MakeClassificationEvaluator({"a", "b"});
  ASSERT_TRUE(evaluator->Add({0, ClassScores{{std::nanf(""), 1}}, 1}, ClassTruth{0}));
  ASSERT_TRUE(evaluator->Add({1, ClassScores{{1, 0}}, 0}, ClassTruth{0}));
  const ClassificationEvaluation evaluation = evaluator->Finish();
  EXPECT_EQ(evaluation.non_finite_samples, 1U);
  EXPECT_THAT(evaluation.predicted, ElementsAre(-1, 0));
  const ClassificationMetrics metrics = ComputeMetrics(evaluation);
  EXPECT_DOUBLE_EQ(metrics.accuracy, 0.5);
  EXPECT_DOUBLE_EQ(metrics.sensitivity[0], 0.5);
  EXPECT_TRUE(std::isnan(metrics.sensitivity[1]));
  EXPECT_DOUBLE_EQ(metrics.mean_sensitivity, 0.5);
}

TEST(ClassificationTest, TiesGoToTheLowestIndex) {
  const auto evaluator = MakeClassificationEvaluator({"a", "b", "c"});
  ASSERT_TRUE(evaluator->Add({0, ClassScores{{1, 1, 1}}, 0}, ClassTruth{0}));
  EXPECT_EQ(evaluator->Finish().predicted[0], 0);
}

TEST(ClassificationTest, WrongLabelsAndScoreCountsAreInvalidData) {
  const auto evaluator = MakeClassificationEvaluator({"a", "b"});
  for (const int label : {-1, 2}) {
    const auto added = evaluator->Add({0, ClassScores{{1, 0}}, 0}, ClassTruth{label});
    ASSERT_FALSE(added);
    EXPECT_EQ(added.error().code(), ErrorCode::kInvalidData);
  }
  const auto more = evaluator->Add({0, ClassScores{{1, 0, 0}}, 0}, ClassTruth{0});
  EXPECT_EQ(more.error().code(), ErrorCode::kInvalidData);
  EXPECT_FALSE(evaluator->Add({0, std::monostate{}, 0}, ClassTruth{0}));
}

}  // namespace
}  // namespace kenning
