// SPDX-License-Identifier: Apache-2.0
#include "transport/devices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "kenning/base/file.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class DevicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = fs::path(::testing::TempDir()) / ("devices-" + std::to_string(::getpid()));
    fs::remove_all(root_);
    ::setenv("XDG_CONFIG_HOME", root_.c_str(), 1);
  }
  void TearDown() override {
    ::unsetenv("XDG_CONFIG_HOME");
    fs::remove_all(root_);
  }
  static Device Board() {
    Device device;
    device.name = "board";
    device.protocol = "NetworkProtocol";
    device.parameters = {{"host", std::string("10.0.0.7")},
                         {"port", std::int64_t{12345}},
                         {"timeout", 2.5},
                         {"error_recovery", false}};
    device.note = "on the desk";
    device.seen =
        DeviceSeen{"2026-01-31T12:00:00Z", "0.5.0", "Cortex-A72", {"tflite 2.19"}, "none"};
    return device;
  }
  static Result<> Add(const Device& device) {
    return UpdateDevices(DevicesFile(), [&device](std::vector<Device>& devices) -> Result<> {
      devices.push_back(device);
      return {};
    });
  }
  fs::path root_;
};

TEST_F(DevicesTest, WhatIsWrittenIsRead) {
  EXPECT_EQ(DevicesFile(), root_ / "kenning" / "devices.json");
  EXPECT_TRUE(ReadDevices(DevicesFile()).value().empty());
  ASSERT_TRUE(Add(Board()));
  Device other = Board();
  other.name = "a.other-1";
  other.seen.reset();
  other.note.clear();
  ASSERT_TRUE(Add(other));
  EXPECT_EQ(ReadDevices(DevicesFile()).value(), (std::vector<Device>{other, Board()}));
  EXPECT_EQ(FindDevice("board").value(), Board());
  struct stat status {};
  ASSERT_EQ(::stat(DevicesFile().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(DevicesTest, UnknownNamesAreHelped) {
  auto found = FindDevice("bord");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message(), HasSubstr("kenning devices add"));
  ASSERT_TRUE(Add(Board()));
  found = FindDevice("bord");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(found.error().message(), HasSubstr("did you mean board?"));
  EXPECT_THAT(FindDevice("xyz").error().message(), HasSubstr("there are: board"));
}

TEST_F(DevicesTest, FailedChangesLeaveTheFile) {
  ASSERT_TRUE(Add(Board()));
  const std::string before = ReadFile(DevicesFile()).value();
  const auto failed = UpdateDevices(DevicesFile(), [](std::vector<Device>& devices) -> Result<> {
    devices.clear();
    return Fail(ErrorCode::kInvalidArgument, "no");
  });
  EXPECT_FALSE(failed);
  EXPECT_EQ(ReadFile(DevicesFile()).value(), before);
}

TEST_F(DevicesTest, NobodyLosesAnUpdate) {
  const auto add = [](int from) {
    for (int i = from; i < from + 5; ++i) {
      Device device = Board();
      device.name = "d" + std::to_string(i);
      EXPECT_TRUE(Add(device));
    }
  };
  // The temporary file is named by the process, so only one thread may write at a time.
  std::thread other(add, 100);
  add(200);
  other.join();
  EXPECT_EQ(ReadDevices(DevicesFile()).value().size(), 10U);
}

TEST_F(DevicesTest, Names) {
  for (const char* good : {"a", "board", "raspberry-pi_4.local", "0"}) {
    EXPECT_TRUE(IsDeviceName(good)) << good;
  }
  for (const char* bad : {"", "-a", ".a", "a b", "a:1", "a/b", "ä"}) {
    EXPECT_FALSE(IsDeviceName(bad)) << bad;
  }
  EXPECT_FALSE(IsDeviceName(std::string(65, 'a')));
}

TEST_F(DevicesTest, MistakesAreNamedWithTheirPlace) {
  const struct {
    const char* text;
    const char* said;
  } cases[] = {
      {"", "f:1:1: this is no JSON"},
      {"{\n  \"version\": 1,\n  \"devices\": {,}\n}", "f:3:15: this is no JSON"},
      {"[]", "f: must be a JSON object"},
      {R"({"devices": {}})", "f: version: must be 1"},
      {R"({"version": 2, "devices": {}})", "f: version: must be 1"},
      {R"({"version": 1, "device": {}})", "f: device: is unknown; did you mean devices?"},
      {R"({"version": 1, "devices": []})", "f: devices: must be an object"},
      {R"({"version": 1, "devices": {"a b": {}}})", "\"a b\" is no name of a device"},
      {R"({"version": 1, "devices": {"a": 1}})", "f: devices.a: must be an object"},
      {R"({"version": 1, "devices": {"a": {}}})", "f: devices.a: has no protocol"},
      {R"({"version": 1, "devices": {"a": {"protocol": {}}}})", "f: devices.a.protocol.type: must"},
      {R"({"version": 1, "devices": {"a": {"protocol": {"type": "N", "parameters": {"p": []}}}}})",
       "f: devices.a.protocol.parameters.p: must be a text, a number"},
      {R"({"version": 1, "devices": {"a": {"protocol": {"type": "N", "parameters": {"p": 1e999}}}}})",
       "f"},
      {R"({"version": 1, "devices": {"a": {"protocol": {"type": "N"}}, "a": {}}})",
       "\"a\" stands there twice"},
      {R"({"version": 1, "devices": {"a": {"protocol": {"type": "N"}, "seen": {"engines": [1]}}}})",
       "f: devices.a.seen.engines: must be a list of texts"},
      {R"([[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]])", "nested too deeply"},
  };
  for (const auto& one : cases) {
    const auto read = DevicesFromJson(one.text, "f");
    ASSERT_FALSE(read) << one.text;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(read.error().message(), HasSubstr(one.said)) << one.text;
  }
}

}  // namespace
}  // namespace kenning
