// SPDX-License-Identifier: Apache-2.0
#include "evaluate/tensor_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kenning {
namespace {

using testing::ElementsAre;

TensorDiff Diff(std::vector<float> a, std::vector<float> b) {
  TensorDiffSum sum;
  sum.Add(a, b);
  return sum.Finish();
}

TEST(TensorDiffTest, FiguresOfASmallCase) {
  // a = (3, 4), b = (3, 5): error (0, 1), lengths 5 and sqrt(34).
  const TensorDiff diff = Diff({3, 4}, {3, 5});
  EXPECT_EQ(diff.elements, 2U);
  EXPECT_DOUBLE_EQ(diff.max_abs, 1);
  EXPECT_DOUBLE_EQ(diff.mean_abs, 0.5);
  EXPECT_DOUBLE_EQ(diff.relative, 0.2);
  EXPECT_DOUBLE_EQ(diff.cosine, 29 / (5 * std::sqrt(34.0)));
  EXPECT_DOUBLE_EQ(diff.sqnr_db, 10 * std::log10(25.0));
}

TEST(TensorDiffTest, EqualAndEmptyAndZero) {
  const TensorDiff equal = Diff({1, -2}, {1, -2});
  EXPECT_EQ(equal.max_abs, 0);
  EXPECT_EQ(equal.relative, 0);
  EXPECT_EQ(equal.cosine, 1);
  EXPECT_TRUE(std::isinf(equal.sqnr_db));
  EXPECT_EQ(Diff({}, {}).elements, 0U);
  const TensorDiff from_zero = Diff({0, 0}, {1, 0});
  EXPECT_TRUE(std::isinf(from_zero.relative));
  EXPECT_EQ(from_zero.cosine, 0);
}

TEST(TensorDiffTest, NonFiniteElementsAreCountedApart) {
  const float nan = std::nanf("");
  const float infinity = std::numeric_limits<float>::infinity();
  const TensorDiff diff = Diff({nan, 1, infinity, nan}, {1, 2, infinity, nan});
  EXPECT_EQ(diff.non_finite, 1U);
  EXPECT_DOUBLE_EQ(diff.max_abs, 1);
}

TEST(TensorDiffTest, SumsOverSeveralTensors) {
  TensorDiffSum sum;
  sum.Add(std::vector<float>{3}, std::vector<float>{3});
  sum.Add(std::vector<float>{4}, std::vector<float>{5});
  EXPECT_DOUBLE_EQ(sum.Finish().relative, 0.2);
}

TEST(TensorDiffTest, LayoutsGoByShapesAndByWord) {
  EXPECT_THAT(LayoutPermutation({1, 3, 8, 9}, {1, 8, 9, 3}, false), ElementsAre(0, 2, 3, 1));
  EXPECT_THAT(LayoutPermutation({1, 8, 9, 3}, {1, 3, 8, 9}, false), ElementsAre(0, 3, 1, 2));
  EXPECT_TRUE(LayoutPermutation({1, 8, 8, 8}, {1, 8, 8, 8}, false).empty());
  EXPECT_EQ(LayoutPermutation({1, 8, 8, 8}, {1, 8, 8, 8}, true).size(), 4U);
  EXPECT_TRUE(LayoutPermutation({1, 10}, {1, 10}, true).empty());
  EXPECT_TRUE(LayoutPermutation({1, 3, 4, 5}, {1, 60, 1, 1}, false).empty());
}

TEST(TensorDiffTest, TransposesThereAndBack) {
  std::vector<float> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  const std::vector<float> last = Transpose(values, {1, 2, 3, 4}, std::vector<int>{0, 2, 3, 1});
  EXPECT_EQ(last[0], 0);
  EXPECT_EQ(last[1], 12);
  EXPECT_EQ(last[2], 1);
  EXPECT_EQ(Transpose(last, {1, 3, 4, 2}, std::vector<int>{0, 3, 1, 2}), values);
}

TEST(TensorDiffTest, PlainNames) {
  EXPECT_THAT(PlainTensorNames("conv1_QuantizeLinear_Output"), ElementsAre("conv1"));
  EXPECT_THAT(PlainTensorNames("conv1_quantized"), ElementsAre("conv1"));
  EXPECT_THAT(PlainTensorNames("net/relu;net/bias;net/conv"),
              ElementsAre("net/relu", "net/bias", "net/conv"));
  EXPECT_THAT(PlainTensorNames("_output"), ElementsAre("_output"));
}

TEST(TensorDiffTest, MatchesByNameThenPlainNameThenOrder) {
  const std::vector<MatchCandidate> a = {{"conv1", {1, 4, 8, 8}},
                                         {"x", {1, 4, 8, 8}},
                                         {"y", {1, 16}},
                                         {"relu", {1, 16}},
                                         {"out", {1, 2}}};
  const std::vector<MatchCandidate> b = {
      {"conv1_quantized", {1, 8, 8, 4}}, {"other", {1, 8, 8, 4}}, {"far", {1, 99}}, {"z", {1, 16}},
      {"n/relu;relu", {1, 16}},          {"out", {1, 2}}};
  const std::vector<TensorMatch> matches = MatchTensors(a, b);
  ASSERT_EQ(matches.size(), 5U);
  const std::size_t partners[] = {0, 1, 3, 4, 5};
  const MatchKind kinds[] = {MatchKind::kPlainName, MatchKind::kOrder, MatchKind::kOrder,
                             MatchKind::kPlainName, MatchKind::kName};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(matches[i].a, i);
    EXPECT_EQ(matches[i].b, partners[i]);
    EXPECT_EQ(matches[i].kind, kinds[i]);
  }
}

TEST(TensorDiffTest, WithoutANameTheMostAlikeIsTaken) {
  const std::vector<MatchCandidate> a = {{"x", {1, 4}}, {"y", {1, 4}}};
  const std::vector<MatchCandidate> b = {{"p", {1, 4}}, {"q", {1, 4}}, {"r", {1, 4}}};
  const auto matches = MatchTensors(a, b, [](std::size_t i, std::size_t k) {
    return i == 0 && k == 1 ? 0.99 : i == 0 && k == 0 ? 0.95 : 0.5;
  });
  ASSERT_EQ(matches.size(), 1U);
  EXPECT_EQ(matches[0].a, 0U);
  EXPECT_EQ(matches[0].b, 1U);
}

TEST(TensorDiffTest, ANameWithOtherDataIsNoMatch) {
  const std::vector<MatchCandidate> a = {{"t", {1, 4}}};
  const std::vector<MatchCandidate> b = {{"t", {1, 5}}};
  EXPECT_TRUE(MatchTensors(a, b).empty());
}

}  // namespace
}  // namespace kenning
