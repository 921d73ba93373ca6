// SPDX-License-Identifier: Apache-2.0
#include "magic_wand_dataset.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "testing_files.h"

namespace kenning {
namespace {

using testing::HasSubstr;

class MagicWandTest : public testing_files::FolderTest {
 protected:
  static std::string Text(int recordings, int readings) {
    std::string text;
    for (int r = 0; r < recordings; ++r) {
      text += "-,-,-\n";
      for (int i = 0; i < readings; ++i) text += fmt::format("{},{}.5,-3\n", r, i);
    }
    return text;
  }
  std::unique_ptr<Dataset> Make(std::map<std::string, ParamValue, std::less<>> given = {}) {
    given.try_emplace("dataset_root", folder_.string());
    given.try_emplace("download_dataset", false);
    return *MakeMagicWandDataset(
        testing_files::WithDefaults(MagicWandDatasetSchema(), std::move(given)), context_);
  }
};

TEST_F(MagicWandTest, EveryRecordingCountsAlsoTheLast) {
  Write("a.txt", Text(3, 10));
  const auto recordings = ReadMagicWandFile(folder_ / "a.txt");
  ASSERT_TRUE(recordings) << recordings.error().ToString();
  ASSERT_EQ(recordings->size(), 3U);
  EXPECT_EQ((*recordings)[2].size(), 10U);
  EXPECT_EQ((*recordings)[2][4], (Reading{2, 4.5F, -3}));
}

TEST_F(MagicWandTest, BadLinesAreNamed) {
  for (const char* line : {"1,2", "1,2,3,4", "1,2,x", "1,2,nan", "1,,3", "\xff\xfe"}) {
    Write("a.txt", std::string("-,-,-\n1,2,3\n") + line + "\n");
    const auto recordings = ReadMagicWandFile(folder_ / "a.txt");
    ASSERT_FALSE(recordings) << line;
    EXPECT_EQ(recordings.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(recordings.error().message(), HasSubstr("a.txt:3"));
  }
}

TEST_F(MagicWandTest, WindowsOfLongAndShortRecordings) {
  const Recording longer(300, Reading{1, 2, 3});
  EXPECT_EQ(CutWindows(longer, 128, 128, 20, 1).size(), 2U);
  EXPECT_EQ(CutWindows(longer, 128, 64, 20, 1).size(), 3U);
  const Recording shorter(100, Reading{10, 20, 30});
  const auto windows = CutWindows(shorter, 128, 128, 20, 1);
  ASSERT_EQ(windows.size(), 1U);
  ASSERT_EQ(windows[0].size(), 128U);
  EXPECT_NEAR(windows[0][0][1], 20, 10);
  EXPECT_NE(windows[0][0][1], windows[0][1][1]);
  EXPECT_EQ(windows[0][14], shorter[0]);
  EXPECT_EQ(windows, CutWindows(shorter, 128, 128, 20, 1));
}

TEST_F(MagicWandTest, FoldersAreClasses) {
  for (const char* gesture : {"wing", "ring", "slope", "negative"}) {
    Write(std::string(gesture) + "/output_1.txt", Text(5, 128));
  }
  const auto dataset = Make();
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_EQ(dataset->size(), 20U);
  EXPECT_EQ(dataset->Split()->test.size(), 4U);
  EXPECT_EQ((*dataset->Load(6))[0].shape(), (Shape{128, 3}));
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(6)).label, 1);
}

TEST_F(MagicWandTest, WindowsOfOneRecordingStayTogether) {
  for (const char* gesture : {"wing", "ring", "slope", "negative"}) {
    Write(std::string(gesture) + "/output_1.txt", Text(10, 192));
  }
  const auto dataset = Make({{"window_shift", std::int64_t{16}}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_EQ(dataset->size(), 4U * 10 * 5);
  const auto split = dataset->Split();
  ASSERT_TRUE(split);
  EXPECT_EQ(split->test.size(), 4U * 2 * 5);
  std::set<SampleId> in_test;  // Recordings: the first five ids are of the first one, and so on.
  for (const SampleId id : split->test) in_test.insert(id / 5);
  for (const SampleId id : split->train) EXPECT_FALSE(in_test.contains(id / 5));
}

TEST_F(MagicWandTest, HiddenFilesAreNotRead) {
  for (const char* gesture : {"wing", "ring", "slope", "negative"}) {
    Write(std::string(gesture) + "/output_1.txt", Text(5, 128));
    Write(std::string(gesture) + "/._output_1.txt", "what macOS knows of it");
  }
  Write("more/._a.txt", "what macOS knows of it");
  auto dataset = Make();
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_EQ(dataset->size(), 20U);
  dataset = Make({{"external_calibration_dataset", (folder_ / "more").string()}});
  EXPECT_EQ(dataset->Prepare(progress_, cancel_).error().code(), ErrorCode::kInvalidData);
}

TEST_F(MagicWandTest, MissingOrEmptyDataIsAnError) {
  EXPECT_EQ(Make()->Prepare(progress_, cancel_).error().code(), ErrorCode::kNotFound);
  for (const char* gesture : {"wing", "ring", "slope", "negative"}) {
    std::filesystem::create_directories(folder_ / gesture);
  }
  EXPECT_EQ(Make()->Prepare(progress_, cancel_).error().code(), ErrorCode::kInvalidData);
}

}  // namespace
}  // namespace kenning
