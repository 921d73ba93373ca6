// SPDX-License-Identifier: Apache-2.0
#include "device_params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "kenning/registry/params_from_text.h"
#include "network_protocol.h"
#include "transport/devices.h"
#include "uart_protocol.h"

namespace kenning {
namespace {

using ::testing::HasSubstr;

class DeviceParamsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              ("device-params-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    ::setenv("XDG_CONFIG_HOME", folder_.c_str(), 1);
    const auto written = UpdateDevices(DevicesFile(), [](std::vector<Device>& devices) {
      Device board{.name = "board", .protocol = "NetworkProtocol"};
      board.parameters = {{"host", std::string("10.0.0.7")},
                          {"port", std::int64_t{4000}},
                          {"timeout", std::int64_t{3}}};
      Device serial{.name = "serial", .protocol = "kenning.protocols.uart.UARTProtocol"};
      serial.parameters = {{"port", std::string("/dev/ttyS9")}, {"baudrate", std::int64_t{115200}}};
      Device odd{.name = "odd", .protocol = "NetworkProtocol"};
      odd.parameters = {{"hst", std::string("x")}};
      Device typed{.name = "typed", .protocol = "NetworkProtocol"};
      typed.parameters = {{"port", std::string("x")}};
      Device far{.name = "far", .protocol = "NetworkProtocol"};
      far.parameters = {{"port", std::int64_t{70000}}};
      devices = {board, far, odd, serial, typed};
      return Result<>();
    });
    ASSERT_TRUE(written) << written.error().ToString();
  }
  void TearDown() override {
    ::unsetenv("XDG_CONFIG_HOME");
    std::filesystem::remove_all(folder_);
  }
  static Result<std::unique_ptr<Transport>> Network(const std::string& device,
                                                    std::map<std::string, ParamValue> more = {}) {
    auto all = DefaultParams(NetworkProtocolSchema()).values();
    all["device"] = device;
    for (auto& [name, value] : more) all[name] = value;
    BlockContext context;
    return MakeNetworkProtocol(Params(all), context);
  }
  std::filesystem::path folder_;
};

TEST_F(DeviceParamsTest, ADevicesParametersReplaceDefaults) {
  const auto board = Network("board");
  ASSERT_TRUE(board) << board.error().ToString();
  EXPECT_EQ((*board)->name(), "tcp://10.0.0.7:4000");
  EXPECT_EQ((*board)->settings().timeout_s, 3.0);
  // What is given wins.
  const auto elsewhere = Network("board", {{"port", std::int64_t{5000}}});
  ASSERT_TRUE(elsewhere);
  EXPECT_EQ((*elsewhere)->name(), "tcp://10.0.0.7:5000");

  auto all = DefaultParams(UartProtocolSchema()).values();
  all["device"] = std::string("serial");
  BlockContext context;
  const auto serial = MakeUartProtocol(Params(all), context);
  ASSERT_TRUE(serial) << serial.error().ToString();
  EXPECT_EQ((*serial)->name(), "/dev/ttyS9 at 115200 baud");
  all["device"] = ParamValue{};
  const auto none = MakeUartProtocol(Params(all), context);
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().message(), HasSubstr("which serial line"));
}

TEST_F(DeviceParamsTest, EntriesThatDoNotFit) {
  const auto says = [](const std::string& device) {
    const auto made = Network(device);
    return made ? std::string("fine") : made.error().message();
  };
  EXPECT_THAT(says("bord"), HasSubstr("board"));
  EXPECT_THAT(says("serial"), HasSubstr("it is reached by kenning.protocols.uart.UARTProtocol"));
  EXPECT_THAT(says("odd"), HasSubstr("has no parameter \"hst\""));
  EXPECT_THAT(says("typed"), HasSubstr("port must be of the type int"));
  EXPECT_THAT(says("far"), HasSubstr("65535"));
}

}  // namespace
}  // namespace kenning
