// SPDX-License-Identifier: Apache-2.0
#include "transport/socket_channel.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "transport/exact.h"

namespace kenning {
namespace {

using testing::HasSubstr;

Deadline Soon() { return Deadline::After(60); }

std::vector<std::byte> Pattern(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 31 + (i >> 8U));
  return bytes;
}

Result<> Write(Channel& channel, ConstBytes bytes, Deadline deadline = Soon()) {
  return channel.WriteAll(std::span(&bytes, 1), deadline);
}

class SocketChannelTest : public testing::Test {
 protected:
  SocketChannelTest() {
    auto pair = MakeLoopbackPair();
    EXPECT_TRUE(pair);
    near_ = std::move(pair->first);
    far_ = std::move(pair->second);
  }
  std::unique_ptr<Channel> near_;
  std::unique_ptr<Channel> far_;
};

TEST_F(SocketChannelTest, ManyPiecesArriveInOrder) {
  const std::vector<std::byte> bytes = Pattern(3'000'000);
  std::vector<ConstBytes> pieces;
  // More pieces than one call takes, some empty, one large.
  std::size_t at = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t size = i % 7;
    pieces.push_back(ConstBytes(bytes).subspan(at, size));
    at += size;
  }
  pieces.push_back(ConstBytes(bytes).subspan(at));
  pieces.push_back({});
  std::thread writer([&] { EXPECT_TRUE(near_->WriteAll(pieces, Soon())); });
  std::vector<std::byte> got(bytes.size());
  EXPECT_TRUE(ReadExactly(*far_, got, Soon()));
  writer.join();
  EXPECT_TRUE(got == bytes);
  EXPECT_TRUE(near_->WriteAll({}, Soon()));
}

TEST_F(SocketChannelTest, BothDirectionsAtOnce) {
  const std::vector<std::byte> bytes = Pattern(1'000'000);
  std::thread writer([&] { EXPECT_TRUE(Write(*near_, bytes)); });
  std::thread far_writer([&] { EXPECT_TRUE(Write(*far_, bytes)); });
  std::vector<std::byte> far_got(bytes.size());
  std::thread far_reader([&] { EXPECT_TRUE(ReadExactly(*far_, far_got, Soon())); });
  std::vector<std::byte> got(bytes.size());
  EXPECT_TRUE(ReadExactly(*near_, got, Soon()));
  writer.join();
  far_writer.join();
  far_reader.join();
  EXPECT_TRUE(got == bytes && far_got == bytes);
}

TEST_F(SocketChannelTest, AnOrderlyEndIsZeroBytes) {
  ASSERT_TRUE(Write(*near_, Pattern(3)));
  near_.reset();
  std::array<std::byte, 8> out = {};
  EXPECT_EQ(far_->ReadSome(out, Soon()).value(), 3U);
  EXPECT_EQ(far_->ReadSome(out, Soon()).value(), 0U);
  EXPECT_EQ(ReadExactly(*far_, out, Soon()).error().code(), ErrorCode::kTargetLost);
  EXPECT_EQ(Write(*far_, out).error().code(), ErrorCode::kTargetLost);
}

TEST_F(SocketChannelTest, NearAndFarDeadlinesAreKept) {
  std::array<std::byte, 8> out = {};
  // Shorter and longer than the kernel's own slice of waiting.
  for (const double seconds : {0.0, 0.02, 1.2}) {
    const std::int64_t start = MonotonicNowNs();
    EXPECT_EQ(far_->ReadSome(out, Deadline::After(seconds)).error().code(),
              ErrorCode::kDeadlineExceeded);
    EXPECT_GE(static_cast<double>(MonotonicNowNs() - start) * 1e-9, seconds * 0.99);
  }
  // What is there is given even when it is late.
  ASSERT_TRUE(Write(*near_, Pattern(3)));
  EXPECT_EQ(far_->ReadSome(out, Deadline::After(0)).value(), 3U);
}

TEST_F(SocketChannelTest, AReaderThatStopsIsNotWaitedForForEver) {
  const std::vector<std::byte> much(16'000'000);
  EXPECT_EQ(Write(*near_, much, Deadline::After(0.05)).error().code(),
            ErrorCode::kDeadlineExceeded);
}

TEST_F(SocketChannelTest, ShutdownWakesAReaderAndAWriter) {
  std::thread reader([&] {
    std::array<std::byte, 8> out = {};
    const auto got = near_->ReadSome(out, Deadline::Never());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), ErrorCode::kTargetLost);
    EXPECT_THAT(got.error().message(), HasSubstr("ended here"));
  });
  std::thread writer([&] {
    const std::vector<std::byte> much(16'000'000);
    EXPECT_EQ(Write(*near_, much, Deadline::Never()).error().code(), ErrorCode::kTargetLost);
  });
  // The writer has begun; it cannot end, as nobody reads more.
  std::array<std::byte, 8> out = {};
  EXPECT_TRUE(ReadExactly(*far_, out, Soon()));
  near_->Shutdown();
  reader.join();
  writer.join();
  EXPECT_EQ(near_->ReadSome(out, Soon()).error().code(), ErrorCode::kTargetLost);
  EXPECT_EQ(Write(*near_, out).error().code(), ErrorCode::kTargetLost);
}

TEST_F(SocketChannelTest, ADescriptorIsAdopted) {
  const int copy = ::fcntl(near_->descriptor(), F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(copy, 0);
  // Inherited sockets may come in any mode.
  ::fcntl(copy, F_SETFL, ::fcntl(copy, F_GETFL) | O_NONBLOCK);
  ::fcntl(copy, F_SETFD, 0);
  auto adopted = AdoptDescriptor(copy, "worker");
  ASSERT_TRUE(adopted) << adopted.error().ToString();
  EXPECT_EQ((*adopted)->peer(), "worker");
  EXPECT_EQ(::fcntl((*adopted)->descriptor(), F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  ASSERT_TRUE(Write(**adopted, Pattern(5)));
  std::array<std::byte, 5> out = {};
  EXPECT_TRUE(ReadExactly(*far_, out, Soon()));
  EXPECT_TRUE(std::ranges::equal(out, Pattern(5)));
  EXPECT_EQ((*adopted)->ReadSome(out, Deadline::After(0.01)).error().code(),
            ErrorCode::kDeadlineExceeded);
}

TEST(AdoptDescriptorTest, OtherDescriptorsAreRefused) {
  EXPECT_EQ(AdoptDescriptor(-1, "x").error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(AdoptDescriptor(::open("/", O_RDONLY | O_CLOEXEC), "x").error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(AdoptDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC), "x").error().code(),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace kenning
