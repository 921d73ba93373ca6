// SPDX-License-Identifier: Apache-2.0
#include "split.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace kenning {
namespace {

using testing::ElementsAre;

std::vector<SampleId> Iota(std::size_t count) {
  std::vector<SampleId> ids(count);
  std::iota(ids.begin(), ids.end(), SampleId{0});
  return ids;
}

TEST(SplitTest, PartsAreDisjointAndStratified) {
  // 50, 30 and 20 samples of three classes.
  std::vector<std::int32_t> labels(100, 0);
  std::fill(labels.begin() + 50, labels.begin() + 80, 1);
  std::fill(labels.begin() + 80, labels.end(), 2);
  const auto [test, train] = StratifiedDivide(Iota(100), labels, 0.2, 1234);
  EXPECT_EQ(test.size(), 20U);
  EXPECT_EQ(train.size(), 80U);
  std::set<SampleId> all(test.begin(), test.end());
  all.insert(train.begin(), train.end());
  EXPECT_EQ(all.size(), 100U);
  int counts[3] = {};
  for (const SampleId id : test) ++counts[labels[id]];
  EXPECT_THAT(counts, ElementsAre(10, 6, 4));
}

TEST(SplitTest, RoundingIsByLargestRemainder) {
  // 3 classes of 7: 0.2 of 21 is 4.2, so 4 in all, one of each and one more.
  std::vector<std::int32_t> labels;
  for (int i = 0; i < 21; ++i) labels.push_back(i % 3);
  EXPECT_EQ(StratifiedDivide(Iota(21), labels, 0.2, 1).first.size(), 4U);
}

TEST(SplitTest, TheSeedDecides) {
  const std::vector<std::int32_t> labels(1000, 0);
  const auto first = StratifiedDivide(Iota(1000), labels, 0.5, 1).first;
  EXPECT_EQ(first, StratifiedDivide(Iota(1000), labels, 0.5, 1).first);
  EXPECT_NE(first, StratifiedDivide(Iota(1000), labels, 0.5, 2).first);
}

TEST(SplitTest, TheSequenceIsTheSameEverywhere) {
  // std::mt19937_64 is specified to the bit; this pins our use of it.
  std::vector<SampleId> ids = Iota(8);
  std::mt19937_64 generator(1234);
  Shuffle(ids, generator);
  EXPECT_THAT(ids, ElementsAre(6, 1, 7, 3, 4, 2, 5, 0));
}

TEST(SplitTest, GroupsStayTogether) {
  // 30 groups of 4 ids in each of two classes; then one class of a single large group.
  std::vector<std::int32_t> labels;
  std::vector<std::uint32_t> groups;
  for (std::uint32_t i = 0; i < 240; ++i) {
    labels.push_back(i < 120 ? 0 : 1);
    groups.push_back(i / 4);
  }
  const auto [test, train] = StratifiedDivide(Iota(240), labels, 0.2, 1234, groups);
  EXPECT_EQ(test.size(), 48U);
  EXPECT_EQ(train.size(), 192U);
  std::set<std::uint32_t> in_test;
  int of_first_class = 0;
  for (const SampleId id : test) {
    in_test.insert(groups[id]);
    of_first_class += labels[id] == 0;
  }
  EXPECT_EQ(of_first_class, 24);
  EXPECT_EQ(in_test.size(), 12U);
  for (const SampleId id : train) EXPECT_FALSE(in_test.contains(groups[id]));

  const std::vector<std::uint32_t> one_group(10, 7);
  const auto whole =
      StratifiedDivide(Iota(10), std::vector<std::int32_t>(10, 0), 0.2, 1, one_group);
  EXPECT_TRUE(whole.first.empty());
  EXPECT_EQ(whole.second.size(), 10U);
}

TEST(SplitTest, GroupsOfOneChangeNothing) {
  const std::vector<std::int32_t> labels(50, 0);
  const std::vector<SampleId> each = Iota(50);
  EXPECT_EQ(StratifiedDivide(Iota(50), labels, 0.3, 9),
            StratifiedDivide(Iota(50), labels, 0.3, 9, each));
}

TEST(SplitTest, TheEndsOfTheRange) {
  const std::vector<std::int32_t> labels(5, 0);
  EXPECT_TRUE(StratifiedDivide(Iota(5), labels, 0, 1).first.empty());
  EXPECT_TRUE(StratifiedDivide(Iota(5), labels, 1, 1).second.empty());
  EXPECT_TRUE(StratifiedDivide({}, labels, 0.5, 1).first.empty());
}

}  // namespace
}  // namespace kenning
