// SPDX-License-Identifier: Apache-2.0
#include "cifar10_dataset.h"

#include <gmock/gmock.h>

#include "testing_files.h"

namespace kenning {
namespace {

using testing::HasSubstr;

class Cifar10Test : public testing_files::FolderTest {
 protected:
  std::unique_ptr<Dataset> Make() {
    return *MakeCifar10(
        testing_files::WithDefaults(
            Cifar10Schema(), {{"dataset_root", folder_.string()}, {"download_dataset", false}}),
        context_);
  }
  static std::string Record(char label, char red, char green, char blue) {
    return std::string(1, label) + std::string(1024, red) + std::string(1024, green) +
           std::string(1024, blue);
  }
};

TEST_F(Cifar10Test, BinaryLayout) {
  Write("cifar-10-batches-bin/data_batch_1.bin", Record(3, 1, 2, 3) + Record(4, 1, 2, 3));
  Write("cifar-10-batches-bin/test_batch.bin", Record(9, 51, 102, '\xff'));
  const auto dataset = Make();
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_EQ(dataset->size(), 3U);
  EXPECT_THAT(dataset->Split()->test, testing::ElementsAre(0));
  EXPECT_THAT(dataset->Split()->train, testing::ElementsAre(1, 2));
  const auto sample = dataset->Load(0);
  ASSERT_TRUE(sample) << sample.error().ToString();
  EXPECT_EQ((*sample)[0].shape(), (Shape{32, 32, 3}));
  EXPECT_FLOAT_EQ((*sample)[0].as<float>()[0], 0.2F);
  EXPECT_FLOAT_EQ((*sample)[0].as<float>()[1], 0.4F);
  EXPECT_FLOAT_EQ((*sample)[0].as<float>()[3071], 1.0F);
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(0)).label, 9);
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(2)).label, 4);
}

TEST_F(Cifar10Test, IdsDoNotDependOnWhichTrainingFilesAreThere) {
  Write("test_batch.bin", Record(9, 0, 0, 0) + Record(8, 0, 0, 0));
  auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->Split()->test, testing::ElementsAre(0, 1));
  EXPECT_TRUE(dataset->Split()->train.empty());
  Write("data_batch_1.bin", Record(1, 0, 0, 0));
  dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->Split()->test, testing::ElementsAre(0, 1));
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(2)).label, 1);
  Write("data_batch_3.bin", Record(3, 0, 0, 0));
  const Result<> gap = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(gap);
  EXPECT_EQ(gap.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(gap.error().message(), HasSubstr("data_batch_2.bin is missing"));
}

TEST_F(Cifar10Test, FolderLayout) {
  WritePng("test/frog/1.png", 32, 32, 3, 255);
  WritePng("test/cat/1.png", 32, 32, 3, 0);
  WritePng("train/dog/1.png", 32, 32, 3, 0);
  const auto dataset = Make();
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_EQ(dataset->info().class_names.size(), 10U);
  EXPECT_EQ(dataset->Split()->test.size(), 2U);
  EXPECT_EQ(dataset->Split()->train.size(), 1U);
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(0)).label, 3);  // cat comes before frog.
}

TEST_F(Cifar10Test, BrokenFilesAreNamed) {
  Write("test_batch.bin", Record(10, 0, 0, 0));
  Result<> prepared = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message(), HasSubstr("label 10"));
  Write("test_batch.bin", Record(1, 0, 0, 0) + "x");
  prepared = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(prepared.error().message(), HasSubstr("test_batch.bin"));
}

TEST_F(Cifar10Test, MissingDataSaysWhatToDo) {
  const Result<> prepared = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(prepared.error().message(), HasSubstr("download_dataset"));
}

}  // namespace
}  // namespace kenning
