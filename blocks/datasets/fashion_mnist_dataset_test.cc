// SPDX-License-Identifier: Apache-2.0
#include "fashion_mnist_dataset.h"

#include <gmock/gmock.h>

#include <set>

#include "testing_files.h"

namespace kenning {
namespace {

using testing::HasSubstr;

std::string Header(std::vector<std::uint32_t> dims) {
  std::string bytes = {'\0', '\0', '\x08', static_cast<char>(dims.size())};
  for (const std::uint32_t dim : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(dim >> shift);
  }
  return bytes;
}

class FashionMnistTest : public testing_files::FolderTest {
 protected:
  void WriteAll(std::uint32_t train, std::uint32_t test, char label_offset = 0) {
    WritePart("train", train, label_offset);
    WritePart("t10k", test, label_offset);
  }
  void WritePart(const std::string& name, std::uint32_t count, char label_offset) {
    std::string images = Header({count, 28, 28});
    std::string labels = Header({count});
    for (std::uint32_t i = 0; i < count; ++i) {
      images += std::string(784, static_cast<char>(i));
      labels += static_cast<char>(static_cast<char>(i % 10) + label_offset);
    }
    WriteGzip(name + "-images-idx3-ubyte.gz", images);
    WriteGzip(name + "-labels-idx1-ubyte.gz", labels);
  }
  std::unique_ptr<Dataset> Make(std::map<std::string, ParamValue, std::less<>> given = {}) {
    given.try_emplace("dataset_root", folder_.string());
    given.try_emplace("download_dataset", false);
    return *MakeFashionMnist(testing_files::WithDefaults(FashionMnistSchema(), std::move(given)),
                             context_);
  }
};

TEST_F(FashionMnistTest, IdsSplitAndValues) {
  WriteAll(60, 20);
  const auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_EQ(dataset->size(), 80U);
  const Result<DatasetSplit> split = dataset->Split();
  ASSERT_TRUE(split);
  EXPECT_EQ(split->test.size(), 20U);
  EXPECT_EQ(split->test.front(), 60U);
  const Result<std::vector<Tensor>> sample = dataset->Load(73);
  ASSERT_TRUE(sample) << sample.error().ToString();
  EXPECT_EQ((*sample)[0].shape(), (Shape{28, 28, 1}));
  EXPECT_FLOAT_EQ((*sample)[0].as<float>()[5], 13.0F / 255.0F);
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(73)).label, 3);
  EXPECT_FALSE(dataset->Load(80));
}

TEST_F(FashionMnistTest, CalibrationIsOfTrainingSamplesOnly) {
  WriteAll(200, 100);
  const auto dataset = Make({{"split_fraction_val", 0.25}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  const Result<DatasetSplit> split = dataset->Split();
  const Result<std::vector<SampleId>> calibration = dataset->Calibration();
  ASSERT_TRUE(split && calibration);
  EXPECT_EQ(split->validation.size(), 50U);
  EXPECT_EQ(split->train.size(), 150U);
  EXPECT_EQ(calibration->size(), 38U);  // A quarter of 150, rounded.
  const std::set<SampleId> train(split->train.begin(), split->train.end());
  for (const SampleId id : *calibration) EXPECT_TRUE(train.contains(id)) << id;
  for (const SampleId id : split->validation) EXPECT_FALSE(train.contains(id)) << id;
}

TEST_F(FashionMnistTest, AnOwnSplitAndAReducedOne) {
  WriteAll(160, 40);
  const auto own = Make({{"official_split", false}});
  ASSERT_TRUE(own->Prepare(progress_, cancel_));
  EXPECT_EQ(own->Split()->test.size(), 40U);
  EXPECT_EQ(own->Split()->train.size(), 160U);
  const auto reduced = Make({{"reduce_dataset", 0.5}});
  ASSERT_TRUE(reduced->Prepare(progress_, cancel_));
  EXPECT_EQ(reduced->Split()->test.size(), 20U);
}

TEST_F(FashionMnistTest, ExternalCalibrationImages) {
  WriteAll(20, 10);
  WritePng("calibration/a.png", 28, 28, 1, 255);
  WritePng("calibration/deeper/b.png", 56, 56, 3, 0);
  const auto dataset = Make({{"external_calibration_dataset", (folder_ / "calibration").string()}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  const Result<std::vector<SampleId>> ids = dataset->Calibration();
  ASSERT_TRUE(ids);
  EXPECT_THAT(*ids, testing::ElementsAre(30, 31));
  EXPECT_FLOAT_EQ((*dataset->Load(30))[0].as<float>()[0], 1.0F);
  EXPECT_FLOAT_EQ((*dataset->Load(31))[0].as<float>()[0], 0.0F);
}

TEST_F(FashionMnistTest, MissingFilesSayWhatToDo) {
  const auto dataset = Make();
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(prepared.error().message(), HasSubstr("dataset-fashion-mnist"));
}

TEST_F(FashionMnistTest, BrokenFilesAreNamed) {
  WriteAll(20, 10, 5);  // Labels up to 14.
  Result<> prepared = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_EQ(prepared.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(prepared.error().message(), HasSubstr("label 10"));

  WriteAll(20, 10);
  WriteGzip("t10k-labels-idx1-ubyte.gz", Header({4'000'000'000U}) + "abc");
  prepared = Make()->Prepare(progress_, cancel_);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().message(), HasSubstr("t10k-labels-idx1-ubyte.gz"));

  WriteAll(20, 10);
  Write("t10k-images-idx3-ubyte.gz", "not gzip");
  const auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  const auto sample = dataset->Load(20);
  ASSERT_FALSE(sample);
  EXPECT_EQ(sample.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(sample.error().ToString(), HasSubstr("t10k-images-idx3-ubyte.gz"));

  WriteAll(20, 10);
  WriteGzip("t10k-images-idx3-ubyte.gz", Header({9, 28, 28}) + std::string(9 * 784, 'x'));
  const auto shorter = Make();
  ASSERT_TRUE(shorter->Prepare(progress_, cancel_));
  EXPECT_EQ(shorter->Load(20).error().code(), ErrorCode::kInvalidData);
}

TEST_F(FashionMnistTest, ChecksumsAreVerified) {
  WriteAll(20, 10);
  const Result<std::string> sha = Sha256OfFile(folder_ / "t10k-labels-idx1-ubyte.gz");
  Write("good.sha256", *sha + "  t10k-labels-idx1-ubyte.gz\n");
  Write("bad.sha256", std::string(64, '0') + "  t10k-labels-idx1-ubyte.gz\n");
  Write("climbing.sha256", *sha + "  ../t10k-labels-idx1-ubyte.gz\n");
  EXPECT_TRUE(
      Make({{"checksum_file", (folder_ / "good.sha256").string()}})->Prepare(progress_, cancel_));
  for (const char* name : {"bad.sha256", "climbing.sha256"}) {
    const Result<> prepared =
        Make({{"checksum_file", (folder_ / name).string()}})->Prepare(progress_, cancel_);
    ASSERT_FALSE(prepared) << name;
    EXPECT_EQ(prepared.error().code(), ErrorCode::kInvalidData);
  }
}

TEST_F(FashionMnistTest, SamplesAreDescribedBeforeAnythingIsRead) {
  const auto dataset = Make({{"dataset_root", std::string("/nonexistent")}});
  ASSERT_EQ(dataset->info().sample_specs.size(), 1U);
  EXPECT_EQ(dataset->info().class_names.size(), 10U);
}

}  // namespace
}  // namespace kenning
