// SPDX-License-Identifier: Apache-2.0
#include "transport/uart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <thread>

#include "transport/exact.h"
#include "transport/socket_channel.h"
#include "transport/testing/pty_pair.h"

namespace kenning {
namespace {

using testing::Direction;
using ::testing::HasSubstr;
using testing::PtyPair;

Deadline Soon() { return Deadline::After(60); }

std::vector<std::byte> EveryByte(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i & 0xFFU);
  return bytes;
}

Result<> Write(Channel& channel, ConstBytes bytes, Deadline deadline = Soon()) {
  return channel.WriteAll(std::span(&bytes, 1), deadline);
}

class UartTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!UartIsBuilt()) GTEST_SKIP() << "built without serial lines";
  }
  void Plug(int baud_rate) {
    auto cable = PtyPair::Make(baud_rate);
    ASSERT_TRUE(cable) << cable.error().ToString();
    cable_ = std::move(*cable);
    auto near = OpenUart({.port = cable_->near_path(), .baud_rate = baud_rate});
    ASSERT_TRUE(near) << near.error().ToString();
    near_ = std::move(*near);
    auto far = OpenUart({.port = cable_->far_path(), .baud_rate = baud_rate});
    ASSERT_TRUE(far) << far.error().ToString();
    far_ = std::move(*far);
  }
  std::unique_ptr<PtyPair> cable_;
  std::unique_ptr<Channel> near_;
  std::unique_ptr<Channel> far_;
};

// Control characters, line feeds and high bytes pass as they are, at the speed of the line.
TEST_F(UartTest, BytesPassAsTheyAreAtTheLinesSpeed) {
  ASSERT_NO_FATAL_FAILURE(Plug(115200));
  const std::vector<std::byte> bytes = EveryByte(1152);
  const std::int64_t start_ns = MonotonicNowNs();
  ASSERT_TRUE(Write(*near_, bytes));
  std::vector<std::byte> got(bytes.size());
  ASSERT_TRUE(ReadExactly(*far_, got, Soon()));
  EXPECT_GE(MonotonicNowNs() - start_ns, 99'000'000);  // 11520 bits at 115200 a second.
  EXPECT_TRUE(got == bytes);
  ASSERT_TRUE(Write(*far_, EveryByte(256)));
  got.resize(256);
  ASSERT_TRUE(ReadExactly(*near_, got, Soon()));
  EXPECT_TRUE(got == EveryByte(256));
  EXPECT_EQ(cable_->forwarded(Direction::kNearToFar), 1152U);
  EXPECT_EQ(near_->peer(), cable_->near_path());
}

TEST_F(UartTest, AnySpeedIsTaken) {
  for (const int baud_rate : {1200, 9600, 250'000, 1'000'000, 3'456'789}) {
    ASSERT_NO_FATAL_FAILURE(Plug(baud_rate)) << baud_rate;
    ASSERT_TRUE(Write(*near_, EveryByte(16)));
    std::array<std::byte, 16> got = {};
    ASSERT_TRUE(ReadExactly(*far_, got, Soon()));
    EXPECT_TRUE(std::ranges::equal(got, EveryByte(16)));
  }
}

TEST_F(UartTest, DeadlinesAndShutdown) {
  ASSERT_NO_FATAL_FAILURE(Plug(9600));
  std::array<std::byte, 4> out = {};
  EXPECT_EQ(near_->ReadSome(out, Deadline::After(0.02)).error().code(),
            ErrorCode::kDeadlineExceeded);
  // The line takes 960 bytes a second, and the system's buffer is not endless.
  const std::vector<std::byte> much(1'000'000);
  EXPECT_EQ(Write(*near_, much, Deadline::After(0.1)).error().code(), ErrorCode::kDeadlineExceeded);
  std::thread reader([&] {
    std::array<std::byte, 4> ours = {};
    EXPECT_EQ(near_->ReadSome(ours, Deadline::Never()).error().code(), ErrorCode::kTargetLost);
  });
  near_->Shutdown();
  reader.join();
  EXPECT_EQ(Write(*near_, EveryByte(1)).error().code(), ErrorCode::kTargetLost);
}

TEST_F(UartTest, AnUnpluggedDeviceIsLost) {
  ASSERT_NO_FATAL_FAILURE(Plug(115200));
  std::thread reader([&] {
    std::array<std::byte, 4> out = {};
    const auto got = near_->ReadSome(out, Deadline::Never());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::kTargetLost);
    EXPECT_THAT(got.error().message(), HasSubstr("still plugged in"));
  });
  cable_->Cut();
  reader.join();
  EXPECT_EQ(Write(*far_, EveryByte(4)).error().code(), ErrorCode::kTargetLost);
}

TEST_F(UartTest, TheCableCanDisturb) {
  ASSERT_NO_FATAL_FAILURE(Plug(115200));
  cable_->SetDisturb([](Direction direction, std::uint64_t at, std::vector<std::byte>& bytes) {
    if (direction == Direction::kFarToNear) return;
    for (std::uint64_t i = 0; i < bytes.size(); ++i) {
      if (at + i == 3) bytes[i] ^= std::byte{0x10};
      if (at + i == 5) bytes[i] = std::byte{0xEE};
    }
    std::erase(bytes, std::byte{0xEE});
  });
  ASSERT_TRUE(Write(*near_, EveryByte(8)));
  std::array<std::byte, 7> got = {};
  ASSERT_TRUE(ReadExactly(*far_, got, Soon()));
  EXPECT_EQ(got[3], std::byte{0x13});
  EXPECT_EQ(got[5], std::byte{6});
}

TEST_F(UartTest, OneUserAtATime) {
  ASSERT_NO_FATAL_FAILURE(Plug(115200));
  const auto second = OpenUart({.port = cable_->near_path(), .baud_rate = 115200});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kTargetLost);
  EXPECT_THAT(second.error().message(), HasSubstr("used by another program"));
  near_.reset();
  EXPECT_TRUE(OpenUart({.port = cable_->near_path(), .baud_rate = 115200}));
}

TEST_F(UartTest, ALinkToTheDeviceIsEnough) {
  const auto cable = PtyPair::Make(115200);
  ASSERT_TRUE(cable);
  const auto link =
      std::filesystem::path(::testing::TempDir()) / ("board-" + std::to_string(::getpid()));
  std::filesystem::create_symlink((*cable)->near_path(), link);
  EXPECT_TRUE(OpenUart({.port = link.string(), .baud_rate = 115200}));
  std::filesystem::remove(link);
}

TEST_F(UartTest, WhatIsNoLineIsRefusedWithTheRemedy) {
  const auto none = OpenUart({.port = "/dev/ttyNONE7", .baud_rate = 115200});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), ErrorCode::kTargetLost);
  EXPECT_THAT(none.error().message(), HasSubstr("is the device plugged in"));
  const auto null = OpenUart({.port = "/dev/null", .baud_rate = 115200});
  ASSERT_FALSE(null);
  EXPECT_EQ(null.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(null.error().message(), HasSubstr("is no serial line"));
}

TEST_F(UartTest, PermissionErrorsNameTheGroup) {
  if (::geteuid() == 0) {
    // Root may open anything: another user tries, in a child process.
    const auto cable = PtyPair::Make(115200);
    ASSERT_TRUE(cable);
    ASSERT_EQ(::chmod((*cable)->near_path().c_str(), 0600), 0);
    const std::string path = (*cable)->near_path();
    EXPECT_EXIT(
        {
          if (::setgid(65534) != 0 || ::setuid(65534) != 0) std::exit(3);
          const auto refused = OpenUart({.port = path, .baud_rate = 115200});
          std::fputs(refused ? "opened" : refused.error().message().c_str(), stderr);
          std::exit(0);
        },
        ::testing::ExitedWithCode(0), "usermod -aG (tty|dialout)");
  }
}

TEST_F(UartTest, AListenerWaitsForTheFirstBytes) {
  const auto cable = PtyPair::Make(115200);
  ASSERT_TRUE(cable);
  auto listener = ListenUart({.port = (*cable)->far_path(), .baud_rate = 115200});
  ASSERT_TRUE(listener) << listener.error().ToString();
  EXPECT_EQ((*listener)->address(), (*cable)->far_path() + " at 115200 baud");
  EXPECT_EQ((*listener)->Accept(Deadline::After(0.02)).error().code(),
            ErrorCode::kDeadlineExceeded);
  auto client = OpenUart({.port = (*cable)->near_path(), .baud_rate = 115200});
  ASSERT_TRUE(client);
  for (int round = 0; round < 2; ++round) {
    ASSERT_TRUE(Write(**client, EveryByte(6)));
    auto server = (*listener)->Accept(Soon());
    ASSERT_TRUE(server) << server.error().ToString();
    std::array<std::byte, 6> got = {};
    ASSERT_TRUE(ReadExactly(**server, got, Soon()));
    EXPECT_TRUE(std::ranges::equal(got, EveryByte(6)));
    ASSERT_TRUE(Write(**server, EveryByte(2)));
    ASSERT_TRUE(ReadExactly(**client, std::span(got).first(2), Soon()));
  }
  std::thread waiting([&] {
    EXPECT_EQ((*listener)->Accept(Deadline::Never()).error().code(), ErrorCode::kCancelled);
  });
  (*listener)->Shutdown();
  waiting.join();
}

TEST_F(UartTest, AListenerNoticesThatItsDeviceWent) {
  const auto cable = PtyPair::Make(115200);
  ASSERT_TRUE(cable);
  // A name of our own: the system gives the terminal's away again.
  const auto link =
      std::filesystem::path(::testing::TempDir()) / ("line-" + std::to_string(::getpid()));
  std::filesystem::create_symlink((*cable)->far_path(), link);
  auto listener = ListenUart({.port = link.string(), .baud_rate = 115200});
  ASSERT_TRUE(listener);
  std::filesystem::remove(link);
  (*cable)->Cut();
  EXPECT_EQ((*listener)->Accept(Soon()).error().code(), ErrorCode::kIo);
  EXPECT_EQ((*listener)->Accept(Soon()).error().code(), ErrorCode::kTargetLost);
  // Plugged in again.
  const auto again = PtyPair::Make(115200);
  ASSERT_TRUE(again);
  std::filesystem::create_symlink((*again)->far_path(), link);
  auto client = OpenUart({.port = (*again)->near_path(), .baud_rate = 115200});
  ASSERT_TRUE(client);
  // Opening the line drops what came before.
  EXPECT_EQ((*listener)->Accept(Deadline::After(0.02)).error().code(),
            ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(Write(**client, EveryByte(4)));
  const auto server = (*listener)->Accept(Soon());
  EXPECT_TRUE(server) << server.error().ToString();
  std::filesystem::remove(link);
}

TEST_F(UartTest, AnInheritedTerminalIsAdopted) {
  ASSERT_NO_FATAL_FAILURE(Plug(115200));
  auto adopted = AdoptDescriptor(::dup(near_->descriptor()), "line");
  ASSERT_TRUE(adopted) << adopted.error().ToString();
  ASSERT_TRUE(Write(**adopted, EveryByte(3)));
  std::array<std::byte, 3> got = {};
  EXPECT_TRUE(ReadExactly(*far_, got, Soon()));
}

}  // namespace
}  // namespace kenning
