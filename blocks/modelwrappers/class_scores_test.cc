// SPDX-License-Identifier: Apache-2.0
#include "class_scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TensorSpec Output(std::int64_t classes) { return {.name = "out", .shape = {kAnyDim, classes}}; }

TensorView View(const std::vector<float>& values, const Shape& shape) {
  return {reinterpret_cast<const std::byte*>(values.data()), values.size() * sizeof(float),
          DType::kFloat32, shape};
}

TEST(ClassScoreReaderTest, PaddedRowsAreLeftOut) {
  const auto reader = ClassScoreReader::Make(Output(2), {}, {"a", "b"}, false);
  ASSERT_TRUE(reader) << reader.error().ToString();
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const Shape shape = {3, 2};
  std::vector<Prediction> out;
  const Batch batch{{7, 9}, {}, 2};
  ASSERT_TRUE(reader->Read(View(values, shape), batch, out));
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].id, 9U);
  EXPECT_THAT(std::get<ClassScores>(out[1].value).scores, ElementsAre(3, 4));
}

TEST(ClassScoreReaderTest, ClassesAreMatchedByName) {
  const auto reader =
      ClassScoreReader::Make(Output(3), {"Truck", "cat", "dog"}, {"dog", "truck"}, false);
  ASSERT_TRUE(reader) << reader.error().ToString();
  const std::vector<float> values = {1, 2, 3};
  const Shape shape = {1, 3};
  std::vector<Prediction> out;
  ASSERT_TRUE(reader->Read(View(values, shape), {{0}, {}, 1}, out));
  EXPECT_THAT(std::get<ClassScores>(out[0].value).scores, ElementsAre(3, 1));
}

TEST(ClassScoreReaderTest, UnmatchedClassesAreRefused) {
  const auto partly = ClassScoreReader::Make(Output(2), {"cat", "dog"}, {"dog", "truck"}, false);
  ASSERT_FALSE(partly);
  EXPECT_THAT(partly.error().message(), HasSubstr("truck"));
  const auto count = ClassScoreReader::Make(Output(1000), {}, {"dog", "truck"}, false);
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(count.error().message(), HasSubstr("1000"));
  EXPECT_FALSE(ClassScoreReader::Make(Output(2), {"one"}, {}, false));
}

TEST(ClassScoreReaderTest, NonFiniteScoresAreCounted) {
  const auto reader = ClassScoreReader::Make(Output(3), {}, {}, true);
  const std::vector<float> values = {std::numeric_limits<float>::quiet_NaN(),
                                     std::numeric_limits<float>::infinity(), 0};
  const Shape shape = {1, 3};
  std::vector<Prediction> out;
  ASSERT_TRUE(reader->Read(View(values, shape), {{0}, {}, 1}, out));
  EXPECT_EQ(out[0].non_finite, 2U);
}

TEST(ClassScoreReaderTest, AWrongNumberOfScoresIsAnError) {
  const auto reader = ClassScoreReader::Make(Output(3), {}, {}, false);
  const std::vector<float> values = {1, 2};
  const Shape shape = {1, 2};
  std::vector<Prediction> out;
  EXPECT_FALSE(reader->Read(View(values, shape), {{0}, {}, 1}, out));
}

TEST(SoftmaxTest, LargeLogitsDoNotOverflow) {
  std::vector<float> scores = {1000, 1001, 999};
  Softmax(scores);
  EXPECT_NEAR(scores[0], 0.24472847F, 1e-6);
  EXPECT_NEAR(scores[1], 0.66524096F, 1e-6);
  EXPECT_NEAR(scores[2], 0.09003057F, 1e-6);
}

}  // namespace
}  // namespace kenning
