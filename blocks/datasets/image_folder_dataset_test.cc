// SPDX-License-Identifier: Apache-2.0
#include "image_folder_dataset.h"

#include <gmock/gmock.h>

#include "testing_files.h"

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ImageFolderTest : public testing_files::FolderTest {
 protected:
  std::unique_ptr<Dataset> Make(std::map<std::string, ParamValue, std::less<>> given = {}) {
    given.try_emplace("dataset_root", folder_.string());
    given.try_emplace("image_width", std::int64_t{8});
    given.try_emplace("image_height", std::int64_t{6});
    return *MakeImageFolder(testing_files::WithDefaults(ImageFolderSchema(), std::move(given)),
                            context_);
  }
};

TEST_F(ImageFolderTest, FoldersNameTheClasses) {
  for (const char* name : {"b/1.png", "b/2.png", "a/1.PNG", "a/notes.txt", "a/.hidden.png"}) {
    WritePng(name, 8, 6, 3, 255);
  }
  const auto dataset = Make();
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_THAT(dataset->info().class_names, ElementsAre("a", "b"));
  EXPECT_EQ(dataset->size(), 3U);
  EXPECT_EQ((*dataset->Load(0))[0].shape(), (Shape{6, 8, 3}));
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(2)).label, 1);
}

TEST_F(ImageFolderTest, LabelsFromACsv) {
  WritePng("x/1.png", 8, 6, 1, 255);
  WritePng("x/2.png", 8, 6, 1, 255);
  Write("labels.csv", "file,label,id\nx/1.png,dog,1\r\nx/2.png,cat\n");
  const auto dataset = Make({{"labels_csv", (folder_ / "labels.csv").string()}});
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_THAT(dataset->info().class_names, ElementsAre("cat", "dog"));
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(0)).label, 1);
}

TEST_F(ImageFolderTest, NumbersAreSortedByTheirValue) {
  for (const char* name : {"10/1.png", "2/1.png", "1/1.png", "007/1.png"}) {
    WritePng(name, 8, 6, 3, 255);
  }
  auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->info().class_names, ElementsAre("1", "2", "007", "10"));
  WritePng("other/1.png", 8, 6, 3, 255);
  dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->info().class_names, ElementsAre("007", "1", "10", "2", "other"));
  Write("labels.csv", "10/1.png,10\n2/1.png,9\n");
  dataset = Make({{"labels_csv", (folder_ / "labels.csv").string()}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->info().class_names, ElementsAre("9", "10"));
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(0)).label, 1);
}

TEST_F(ImageFolderTest, HiddenFilesCalibrateNothing) {
  WritePng("a/1.png", 8, 6, 3, 255);
  WritePng("calibration/deep/1.png", 8, 6, 3, 255);
  Write("calibration/deep/._1.png", "what macOS knows of it");
  WritePng("calibration/.thumbnails/1.png", 8, 6, 3, 255);
  const auto dataset = Make({{"external_calibration_dataset", (folder_ / "calibration").string()}});
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_EQ(dataset->Calibration()->size(), 1U);
}

TEST_F(ImageFolderTest, ALabelOutOfRangeNamesItsRow) {
  WritePng("1.png", 8, 6, 1, 255);
  Write("labels.csv", "1.png,7\n");
  Write("names.txt", "cat\ndog\n");
  const auto dataset = Make({{"labels_csv", (folder_ / "labels.csv").string()},
                             {"class_names_file", (folder_ / "names.txt").string()}});
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(prepared.error().message(), HasSubstr("1.png"));
  EXPECT_THAT(prepared.error().message(), HasSubstr("out of the range"));
}

TEST_F(ImageFolderTest, AnEmptyFolderIsAnError) {
  std::filesystem::create_directories(folder_ / "a");
  const Result<> prepared = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(prepared.error().message(), HasSubstr(folder_.string()));
  EXPECT_EQ(Make({{"dataset_root", std::string("/nonexistent")}})
                ->Prepare(progress_, cancel_)
                .error()
                .code(),
            ErrorCode::kNotFound);
}

TEST_F(ImageFolderTest, CorruptAndWronglySizedImagesNameTheirFile) {
  Write("a/bad.png", "\x89PNG\r\n\x1a\n then nothing");
  WritePng("a/small.png", 3, 3, 3, 0);
  const auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  for (const SampleId id : {0U, 1U}) {
    const auto sample = dataset->Load(id);
    ASSERT_FALSE(sample);
    EXPECT_EQ(sample.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(sample.error().ToString(), HasSubstr(id == 0 ? "bad.png" : "small.png"));
  }
  const auto stretched = Make({{"resize", std::string("stretch")}});
  ASSERT_TRUE(stretched->Prepare(progress_, cancel_));
  EXPECT_TRUE(stretched->Load(1));
}

}  // namespace
}  // namespace kenning
