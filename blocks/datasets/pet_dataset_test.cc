// SPDX-License-Identifier: Apache-2.0
#include "pet_dataset.h"

#include <gmock/gmock.h>

#include <thread>

#include "resource/test_archive.h"
#include "resource/test_http_server.h"
#include "testing_files.h"

namespace kenning {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr const char* kList =
    "#Image CLASS-ID SPECIES BREED ID\n"
    "Manx_1 1 1 1\n"
    "Manx_20 1 1 1\n"
    "great_dane_3 2 2 1\n"
    "great_dane_4 2 2 1\r\n"
    "pug_5 3 2 2\n";

class PetTest : public testing_files::FolderTest {
 protected:
  std::unique_ptr<Dataset> Make(std::map<std::string, ParamValue, std::less<>> more = {}) {
    more.emplace("dataset_root", (folder_ / "pets").string());
    more.emplace("download_dataset", false);
    return *MakePetDataset(testing_files::WithDefaults(PetSchema(), std::move(more)), context_);
  }
  /// A PNG of that name: images are told by their content.
  void WriteImage(const std::string& name, unsigned char value) const {
    WritePng("pets/images/" + name + ".jpg", 20, 10, 3, value);
  }
  void WriteAll() const {
    Write("pets/annotations/list.txt", kList);
    WriteImage("Manx_1", 255);
    WriteImage("Manx_20", 51);
    for (const char* name : {"great_dane_3", "great_dane_4", "pug_5"}) WriteImage(name, 0);
  }
  /// The files below `folder`, as the data set's archives hold them.
  std::string Archive(const std::filesystem::path& folder) const {
    const std::filesystem::path path = folder_ / "archive.tar.gz";
    std::vector<std::pair<std::string, std::string>> files;
    for (const auto& item : std::filesystem::directory_iterator(folder)) {
      files.emplace_back((folder.filename() / item.path().filename()).string(),
                         ReadFile(item.path()).value());
    }
    testing::WriteTarGz(path, files);
    return ReadFile(path).value();
  }
  std::string PrepareError(std::map<std::string, ParamValue, std::less<>> more = {}) {
    const auto dataset = Make(std::move(more));
    const Result<> prepared = dataset->Prepare(progress_, cancel_);
    return prepared ? "" : prepared.error().ToString();
  }
};

TEST_F(PetTest, BreedsComeFromTheListAndSamplesFromTheImages) {
  WriteAll();
  const auto dataset = Make();
  EXPECT_EQ(dataset->info().sample_specs[0].shape, (Shape{224, 224, 3}));
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_THAT(dataset->info().class_names, ElementsAre("Manx", "great_dane", "pug"));
  EXPECT_THAT(dataset->info().mean, ElementsAre(0.485F, 0.456F, 0.406F));
  EXPECT_EQ(dataset->size(), 5U);
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(3)).label, 1);
  const auto sample = dataset->Load(1);
  ASSERT_TRUE(sample) << sample.error().ToString();
  EXPECT_EQ((*sample)[0].shape(), (Shape{224, 224, 3}));
  EXPECT_NEAR((*sample)[0].as<float>()[150527], 0.2F, 1e-5F);
  EXPECT_FALSE(dataset->Load(5));
}

TEST_F(PetTest, SpeciesAndPlanes) {
  WriteAll();
  const auto dataset =
      Make({{"classify_by", std::string("species")}, {"image_memory_layout", std::string("NCHW")}});
  EXPECT_THAT(dataset->info().class_names, ElementsAre("cat", "dog"));
  EXPECT_EQ(dataset->info().sample_specs[0].layout, "NCHW");
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_EQ(std::get<ClassTruth>(*dataset->Truth(4)).label, 1);
  EXPECT_EQ((*dataset->Load(0))[0].shape(), (Shape{3, 224, 224}));
}

TEST_F(PetTest, TheOfficialSplitIsTakenWhereItIsThere) {
  WriteAll();
  auto dataset = Make({{"split_fraction_test", 0.4}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->Split()->test, SizeIs(2));
  Write("pets/annotations/trainval.txt", "Manx_1 1 1 1\ngreat_dane_4 2 2 1\npug_5 3 2 2\n");
  Write("pets/annotations/test.txt", "Manx_20 1 1 1\n");
  dataset = Make({{"split_fraction_test", 0.4}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->Split()->test, ElementsAre(1));
  EXPECT_THAT(dataset->Split()->train, ElementsAre(0, 3, 4));
  dataset = Make({{"split_fraction_test", 0.4}, {"official_split", false}});
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  EXPECT_THAT(dataset->Split()->test, SizeIs(2));
  Write("pets/annotations/test.txt", "Manx_1 1 1 1\n");
  EXPECT_THAT(PrepareError(), HasSubstr("test.txt: Manx_1 is listed twice"));
  Write("pets/annotations/test.txt", "Manx_9 1 1 1\n");
  EXPECT_THAT(PrepareError(), HasSubstr("test.txt: Manx_9 is not in list.txt"));
}

TEST_F(PetTest, TwoArchivesAreDownloaded) {
  WriteAll();
  const std::map<std::string, std::string> bodies = {
      {"images.tar.gz", Archive(folder_ / "pets" / "images")},
      {"annotations.tar.gz", Archive(folder_ / "pets" / "annotations")}};
  testing::HttpServer server([&bodies](const std::string& request, int) {
    for (const auto& [name, body] : bodies) {
      if (request.find("/data/" + name) != std::string::npos) return testing::WholeAnswer(body);
    }
    return testing::HttpServer::Answer{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"};
  });
  const std::filesystem::path root = folder_ / "fetched";
  const std::map<std::string, ParamValue, std::less<>> given = {
      {"dataset_root", root.string()}, {"download_dataset", true}, {"url", server.Url("data")}};
  const auto dataset = Make(given);
  const Result<> prepared = dataset->Prepare(progress_, cancel_);
  ASSERT_TRUE(prepared) << prepared.error().ToString();
  EXPECT_EQ(dataset->size(), 5U);
  EXPECT_TRUE(dataset->Load(0));
  EXPECT_THAT(server.requests(), SizeIs(2));
  EXPECT_FALSE(std::filesystem::exists(root / "images.tar.gz"));
  ASSERT_TRUE(Make(given)->Prepare(progress_, cancel_));
  EXPECT_THAT(server.requests(), SizeIs(2));
}

TEST_F(PetTest, ManyThreadsLoad) {
  WriteAll();
  const auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  std::vector<std::thread> threads;
  std::atomic<int> loaded = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&dataset, &loaded] {
      for (SampleId id = 0; id < 5; ++id) loaded += dataset->Load(id) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(loaded, 20);
}

TEST_F(PetTest, MistakesNameTheFileAndTheRemedy) {
  EXPECT_THAT(PrepareError(), HasSubstr("allow download_dataset"));
  WriteAll();
  Write("pets/annotations/list.txt", "Manx_1 1 1 1\nManx_20 x 1 1\n");
  EXPECT_THAT(PrepareError(), HasSubstr("list.txt:2: \"Manx_20 x 1 1\""));
  Write("pets/annotations/list.txt", "../../secret_1 1 1 1\n");
  EXPECT_THAT(PrepareError(), HasSubstr("list.txt:1"));
  Write("pets/annotations/list.txt", "Manx_1 1 1 1\npug_5 3 2 2\n");
  EXPECT_THAT(PrepareError(), HasSubstr("no image is of class 2"));
  Write("pets/annotations/list.txt", "Manx_1 1 1 1\npug_5 1 2 2\n");
  EXPECT_THAT(PrepareError(), HasSubstr("class 1 is Manx and, of pug_5, something else"));
  Write("pets/annotations/list.txt", "Manx_1 1 1 1\nManx_7 1 1 1\n");
  EXPECT_THAT(PrepareError(), HasSubstr("Manx_7.jpg is not there"));
  Write("pets/annotations/list.txt", kList);
  Write("pets/images/pug_5.jpg", "GIF89a");
  const auto dataset = Make();
  ASSERT_TRUE(dataset->Prepare(progress_, cancel_));
  const auto sample = dataset->Load(4);
  ASSERT_FALSE(sample);
  EXPECT_THAT(sample.error().message(), HasSubstr("pug_5.jpg"));
}

}  // namespace
}  // namespace kenning
