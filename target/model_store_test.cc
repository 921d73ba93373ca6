// SPDX-License-Identifier: Apache-2.0
#include "model_store.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "kenning/base/file.h"

namespace kenning::target {
namespace {

using ::testing::HasSubstr;

ConstBytes BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

class ModelStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "store-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  FileModelStore Open(StoreLimits limits = {}) const {
    limits.keep_free_bytes = 0;
    return FileModelStore::Open(folder_, limits).value();
  }
  std::filesystem::path folder_;
};

TEST_F(ModelStoreTest, AModelComesInPartsAndIsChecked) {
  const std::string model = "a model of some bytes";
  const std::string name = Sha256Hex(model);
  {
    FileModelStore store = Open();
    EXPECT_EQ(store.Have(name, model.size()).value(), 0U);
    EXPECT_EQ(store.Append(name, model.size(), 0, BytesOf(model.substr(0, 5))).value(), 5U);
    EXPECT_EQ(store.PathOf(name).error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(store.Append(name, model.size(), 9, BytesOf("x")).error().code(),
              ErrorCode::kInvalidArgument)
        << "a gap";
    EXPECT_EQ(store.Append(name, model.size(), 5, BytesOf(model)).error().code(),
              ErrorCode::kInvalidArgument)
        << "more than the whole";
  }
  FileModelStore store = Open();  // After a restart.
  EXPECT_EQ(store.Have(name, model.size()).value(), 5U);
  EXPECT_EQ(store.Append(name, model.size(), 5, BytesOf(model.substr(5))).value(), model.size());
  EXPECT_EQ(ReadFile(store.PathOf(name).value()).value(), model);
  EXPECT_EQ(store.Have(name, model.size()).value(), model.size());
  EXPECT_EQ(store.Latest().value(), name);
  const auto part = store.Get(name, 2, 5).value();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(part.data()), part.size()), "model");
  EXPECT_TRUE(store.Get(name, model.size(), 5).value().empty());
  EXPECT_FALSE(store.Get(name, model.size() + 1, 5));
}

TEST_F(ModelStoreTest, AWrongSumIsDropped) {
  FileModelStore store = Open();
  const std::string name = Sha256Hex("what was promised");
  const auto done = store.Append(name, 5, 0, BytesOf("other"));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code(), ErrorCode::kInvalidData);
  EXPECT_EQ(store.Have(name, 17).value(), 0U);
  EXPECT_EQ(store.UsedBytes(), 0U);
}

TEST_F(ModelStoreTest, WhatWasDamagedLaterIsNotServed) {
  const std::string name = Open().Put(BytesOf("a model")).value();
  ASSERT_TRUE(WriteFileAtomically(folder_ / "models" / name, "b model"));
  FileModelStore store = Open();
  EXPECT_EQ(store.PathOf(name).error().code(), ErrorCode::kInvalidData);
  EXPECT_EQ(store.PathOf(name).error().code(), ErrorCode::kNotFound) << "removed";
  EXPECT_EQ(store.Put(BytesOf("a model")).value(), name);
  EXPECT_TRUE(store.PathOf(name));
}

TEST_F(ModelStoreTest, NamesAreSumsAndNothingElse) {
  FileModelStore store = Open();
  for (const std::string& name :
       {std::string(), std::string("../../etc/passwd"), std::string(64, 'g'), std::string(64, 'A'),
        std::string(63, 'a') + "/", std::string(65, 'a')}) {
    EXPECT_EQ(store.Have(name, 10).error().code(), ErrorCode::kInvalidArgument) << name;
    EXPECT_FALSE(store.Append(name, 10, 0, {}));
    EXPECT_FALSE(store.PathOf(name));
    EXPECT_FALSE(store.Get(name, 0, 10));
  }
}

TEST_F(ModelStoreTest, TheLeastRecentlyUsedGoFirst) {
  FileModelStore store = Open({.max_bytes = 250});
  const auto put = [&](char c) {
    // So that times of use differ on file systems with coarse ones.
    std::this_thread::sleep_for(std::chrono::milliseconds(15));
    return store.Put(BytesOf(std::string(100, c))).value();
  };
  const std::string a = put('a');
  const std::string b = put('b');
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  ASSERT_TRUE(store.PathOf(a));
  const std::string c = put('c');
  EXPECT_TRUE(store.PathOf(a));
  EXPECT_FALSE(store.PathOf(b));
  EXPECT_TRUE(store.PathOf(c));
  const auto large = store.Have(Sha256Hex("large"), 251);
  EXPECT_EQ(large.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_TRUE(store.PathOf(a)) << "nothing is removed for what never fits";
}

TEST_F(ModelStoreTest, AFullDiskIsSaidAndWhatCameStays) {
  FileModelStore store = Open();
  const std::string model(200'000, 'm');
  const std::string name = Sha256Hex(model);
  ASSERT_TRUE(store.Append(name, model.size(), 0, BytesOf(model.substr(0, 1000))));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {50'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto more = store.Append(name, model.size(), 1000, BytesOf(model.substr(1000)));
  ::setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_THAT(more.error().message(), HasSubstr("disk is full"));
  EXPECT_EQ(store.Have(name, model.size()).value(), 1000U);
  EXPECT_EQ(store.Append(name, model.size(), 1000, BytesOf(model.substr(1000))).value(),
            model.size());
}

TEST_F(ModelStoreTest, ALinkInTheStoreIsNotFollowed) {
  FileModelStore store = Open();
  const std::string name = Sha256Hex("link");
  std::filesystem::create_symlink("/etc/hostname", folder_ / "models" / name);
  EXPECT_FALSE(store.PathOf(name));
  EXPECT_FALSE(store.Get(name, 0, 10));
}

TEST_F(ModelStoreTest, AFolderThatCannotBeWrittenIsSaid) {
  const auto store = FileModelStore::Open("/proc/nowhere", {});
  ASSERT_FALSE(store);
  EXPECT_THAT(store.error().message(), HasSubstr("--state"));
}

}  // namespace
}  // namespace kenning::target
