// SPDX-License-Identifier: Apache-2.0
#include "randomized_dataset.h"

#include <gmock/gmock.h>

#include "testing_files.h"

namespace kenning {
namespace {

using testing::AllOf;
using testing::Each;
using testing::Ge;
using testing::Lt;

TEST(RandomizedClassificationTest, SamplesAreReproducibleNoise) {
  BlockContext context;
  NullProgress progress;
  CancelToken cancel;
  const Params params = testing_files::WithDefaults(
      RandomizedClassificationSchema(), {{"input_dims", std::vector<std::int64_t>{16, 3}}});
  const auto dataset = *MakeRandomizedClassification(params, context);
  const auto again = *MakeRandomizedClassification(params, context);
  ASSERT_TRUE(dataset->Prepare(progress, cancel));
  ASSERT_TRUE(again->Prepare(progress, cancel));
  EXPECT_EQ(dataset->size(), 100U);
  EXPECT_EQ(dataset->Split()->test.size(), 20U);
  EXPECT_FALSE(dataset->info().has_truth);
  const auto a = dataset->Load(5);
  const auto b = again->Load(5);
  const auto c = dataset->Load(6);
  ASSERT_TRUE(a && b && c);
  EXPECT_THAT((*a)[0].as<float>(), Each(AllOf(Ge(0.0F), Lt(1.0F))));
  EXPECT_TRUE(std::ranges::equal((*a)[0].as<float>(), (*b)[0].as<float>()));
  EXPECT_FALSE(std::ranges::equal((*a)[0].as<float>(), (*c)[0].as<float>()));
  EXPECT_TRUE(std::holds_alternative<std::monostate>(*dataset->Truth(5)));
}

TEST(RandomizedClassificationTest, ImpossibleShapesAreRefused) {
  BlockContext context;
  for (const std::vector<std::int64_t>& dims :
       {std::vector<std::int64_t>{0, 3}, {-1}, {1 << 20, 1 << 20}}) {
    const Params params =
        testing_files::WithDefaults(RandomizedClassificationSchema(), {{"input_dims", dims}});
    const auto dataset = MakeRandomizedClassification(params, context);
    ASSERT_FALSE(dataset);
    EXPECT_EQ(dataset.error().code(), ErrorCode::kInvalidScenario);
  }
}

}  // namespace
}  // namespace kenning
