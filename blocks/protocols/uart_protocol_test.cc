// SPDX-License-Identifier: Apache-2.0
#include "uart_protocol.h"

#include <gtest/gtest.h>

#include <array>

#include "kenning/registry/params_from_text.h"
#include "transport/exact.h"
#include "transport/testing/pty_pair.h"

namespace kenning {
void RegisterProtocols(Registry& registry);
namespace {

class UartProtocolTest : public ::testing::Test {
 protected:
  UartProtocolTest() {
    RegisterProtocols(registry_);
    RegisterKnownClasses(registry_);
  }
  Result<std::unique_ptr<Transport>> Make(const std::string& port, std::int64_t baud_rate) {
    const BlockInfo* info = registry_.Find(BlockCategory::kProtocol, "UARTProtocol").value();
    auto all = DefaultParams(info->schema).values();
    all["port"] = port;
    all["baudrate"] = baud_rate;
    BlockContext context;
    return info->make_transport(Params(all), context);
  }
  Registry registry_;
};

TEST_F(UartProtocolTest, NamesAndDefaultsAreKennings) {
  for (const char* name :
       {"kenning.protocols.uart.UARTProtocol", "kenning.runtimeprotocols.uart.UARTProtocol"}) {
    const auto found = registry_.Find(BlockCategory::kProtocol, name);
    ASSERT_TRUE(found) << found.error().ToString();
    EXPECT_EQ((*found)->name, "UARTProtocol");
    EXPECT_EQ(DefaultParams((*found)->schema).Int("baudrate"), 9600);
  }
  const auto transport = Make("/dev/ttyUSB0", 9600);
  ASSERT_TRUE(transport);
  EXPECT_EQ((*transport)->name(), "/dev/ttyUSB0 at 9600 baud");
  EXPECT_EQ((*transport)->settings().dialect, WireDialect::kUart);
  EXPECT_TRUE((*transport)->settings().error_recovery);
  EXPECT_EQ((*transport)->settings().max_message_size, 136U);
}

TEST_F(UartProtocolTest, BothEndsOfALine) {
  if (!ProbeUart().available) GTEST_SKIP() << ProbeUart().reason;
  const auto cable = kenning::testing::PtyPair::Make(115200);
  ASSERT_TRUE(cable);
  const auto target = Make((*cable)->far_path(), 115200);
  const auto host = Make((*cable)->near_path(), 115200);
  ASSERT_TRUE(target && host);
  const auto listener = (*target)->Listen();
  ASSERT_TRUE(listener) << listener.error().ToString();
  const auto near = (*host)->Connect(Deadline::After(20));
  ASSERT_TRUE(near) << near.error().ToString();
  const std::array<std::byte, 3> sent = {std::byte{1}, std::byte{0}, std::byte{255}};
  const ConstBytes piece(sent);
  ASSERT_TRUE((*near)->WriteAll(std::span(&piece, 1), Deadline::After(20)));
  const auto far = (*listener)->Accept(Deadline::After(20));
  ASSERT_TRUE(far) << far.error().ToString();
  std::array<std::byte, 3> got = {};
  ASSERT_TRUE(ReadExactly(**far, got, Deadline::After(20)));
  EXPECT_EQ(got, sent);
}

}  // namespace
}  // namespace kenning
