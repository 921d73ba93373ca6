// SPDX-License-Identifier: Apache-2.0
#include "transport/tcp.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <thread>
#include <vector>

#include "transport/exact.h"

namespace kenning {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Deadline Soon() { return Deadline::After(60); }

std::uint16_t PortOf(const Listener& listener) {
  const std::string address = listener.address();
  return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

Result<> Write(Channel& channel, ConstBytes bytes, Deadline deadline = Soon()) {
  return channel.WriteAll(std::span(&bytes, 1), deadline);
}

int Option(const Channel& channel, int level, int name) {
  int value = 0;
  socklen_t size = sizeof(value);
  EXPECT_EQ(::getsockopt(channel.descriptor(), level, name, &value, &size), 0);
  return value;
}

// Closes with a reset instead of an orderly end.
void Reset(std::unique_ptr<Channel> channel) {
  const linger now = {.l_onoff = 1, .l_linger = 0};
  ::setsockopt(channel->descriptor(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

class TcpTest : public testing::Test {
 protected:
  TcpTest() {
    auto made = ListenTcp("", 0);
    EXPECT_TRUE(made) << made.error().ToString();
    listener_ = std::move(*made);
  }
  void Pair() {
    auto near = ConnectTcp("127.0.0.1", PortOf(*listener_), Soon());
    ASSERT_TRUE(near) << near.error().ToString();
    auto far = listener_->Accept(Soon());
    ASSERT_TRUE(far) << far.error().ToString();
    near_ = std::move(*near);
    far_ = std::move(*far);
  }
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Channel> near_;
  std::unique_ptr<Channel> far_;
};

TEST_F(TcpTest, BytesGoBothWaysAndOptionsAreSet) {
  EXPECT_THAT(listener_->address(), StartsWith("127.0.0.1:"));
  ASSERT_NO_FATAL_FAILURE(Pair());
  EXPECT_EQ(near_->peer(), listener_->address());
  EXPECT_THAT(far_->peer(), StartsWith("127.0.0.1:"));
  for (Channel* channel : {near_.get(), far_.get()}) {
    EXPECT_EQ(Option(*channel, IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(Option(*channel, SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_NE(::fcntl(channel->descriptor(), F_GETFD) & FD_CLOEXEC, 0);
  }
  const std::vector<std::byte> bytes(602'112, std::byte{7});
  std::thread writer([&] { EXPECT_TRUE(Write(*near_, bytes)); });
  std::vector<std::byte> got(bytes.size());
  EXPECT_TRUE(ReadExactly(*far_, got, Soon()));
  writer.join();
  EXPECT_TRUE(got == bytes);
  EXPECT_TRUE(Write(*far_, std::array{std::byte{1}}));
  EXPECT_EQ(near_->ReadSome(got, Soon()).value(), 1U);
}

TEST_F(TcpTest, NamesAndBothFamilies) {
  const std::uint16_t port = PortOf(*listener_);
  // localhost may be ::1 first, where nobody listens: the next address is tried.
  for (const char* host : {"", "localhost", "127.0.0.1"}) {
    EXPECT_TRUE(ConnectTcp(host, port, Soon())) << host;
  }
  const auto v6 = ListenTcp("[::1]", 0);
  if (!v6) GTEST_SKIP() << v6.error().ToString();
  EXPECT_THAT((*v6)->address(), StartsWith("[::1]:"));
  for (const char* host : {"::1", "[::1]"}) {
    EXPECT_TRUE(ConnectTcp(host, PortOf(**v6), Soon())) << host;
  }
  const auto both = ListenTcp("::", 0);
  ASSERT_TRUE(both) << both.error().ToString();
  EXPECT_TRUE(ConnectTcp("127.0.0.1", PortOf(**both), Soon()));
  EXPECT_EQ(HostAndPort("::1", 5), "[::1]:5");
  EXPECT_EQ(HostAndPort("[::1]", 5), "[::1]:5");
  EXPECT_EQ(HostAndPort("board", 5), "board:5");
}

TEST_F(TcpTest, RefusalsSayWhatToCheck) {
  const std::uint16_t port = PortOf(*listener_);
  listener_.reset();
  const auto refused = ConnectTcp("127.0.0.1", port, Soon());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kTargetLost);
  EXPECT_THAT(refused.error().message(),
              HasSubstr("is kenning-agent running at 127.0.0.1:" + std::to_string(port)));
  const auto unknown = ConnectTcp("no-such-host.invalid", port, Soon());
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code(), ErrorCode::kTargetLost);
  EXPECT_THAT(unknown.error().message(), HasSubstr("no-such-host.invalid"));
  EXPECT_EQ(ConnectTcp("127.0.0.1", 0, Soon()).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(TcpTest, AnAddressInUseSaysHowToFindTheOther) {
  const auto second = ListenTcp("127.0.0.1", PortOf(*listener_));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), ErrorCode::kIo);
  EXPECT_THAT(second.error().message(), HasSubstr("ss -ltnp"));
  const auto foreign = ListenTcp("192.0.2.1", 0);
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message(), HasSubstr("no such address"));
}

// A backlog that is full answers no further connection: what a target that is switched off does.
TEST(TcpDeadlineTest, ATargetThatDoesNotAnswer) {
  const int full = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(full, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(::bind(full, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(full, 0), 0);
  ASSERT_EQ(::getsockname(full, reinterpret_cast<sockaddr*>(&address), &size), 0);
  std::vector<std::unique_ptr<Channel>> waiting;
  for (int i = 0; i < 20; ++i) {
    auto one = ConnectTcp("127.0.0.1", ntohs(address.sin_port), Deadline::After(0.3));
    if (one) {
      waiting.push_back(std::move(*one));
      continue;
    }
    EXPECT_EQ(one.error().code(), ErrorCode::kDeadlineExceeded);
    EXPECT_THAT(one.error().message(), HasSubstr("is the address right"));
    ::close(full);
    return;
  }
  ::close(full);
  GTEST_SKIP() << "this system takes any number of connections";
}

TEST_F(TcpTest, AnOrderlyEndAResetAndHalfAConnection) {
  ASSERT_NO_FATAL_FAILURE(Pair());
  std::array<std::byte, 8> out = {};
  near_.reset();
  EXPECT_EQ(far_->ReadSome(out, Soon()).value(), 0U);

  ASSERT_NO_FATAL_FAILURE(Pair());
  Reset(std::move(near_));
  const auto reset = far_->ReadSome(out, Soon());
  ASSERT_FALSE(reset);
  EXPECT_EQ(reset.error().code(), ErrorCode::kTargetLost);
  EXPECT_THAT(reset.error().message(), HasSubstr("connection lost while reading"));

  // The peer sends no more, and still reads.
  ASSERT_NO_FATAL_FAILURE(Pair());
  ASSERT_EQ(::shutdown(near_->descriptor(), SHUT_WR), 0);
  EXPECT_EQ(far_->ReadSome(out, Soon()).value(), 0U);
  EXPECT_TRUE(Write(*far_, std::array{std::byte{1}, std::byte{2}}));
  EXPECT_EQ(near_->ReadSome(out, Soon()).value(), 2U);

  // A peer that went without a word costs no signal and no endless write.
  ASSERT_NO_FATAL_FAILURE(Pair());
  near_.reset();
  const std::vector<std::byte> much(1'000'000);
  Result<> written;
  for (int i = 0; i < 100 && written; ++i) written = Write(*far_, much);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code(), ErrorCode::kTargetLost);
}

TEST_F(TcpTest, ASlowPeerIsWaitedForUntilTheDeadline) {
  ASSERT_NO_FATAL_FAILURE(Pair());
  const std::vector<std::byte> much(32'000'000);
  for (const double seconds : {0.05, 1.2}) {
    const auto written = Write(*near_, much, Deadline::After(seconds));
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code(), ErrorCode::kDeadlineExceeded);
  }
  std::array<std::byte, 1> out = {};
  EXPECT_EQ(near_->ReadSome(out, Deadline::After(0.02)).error().code(),
            ErrorCode::kDeadlineExceeded);
  // One byte at a time is slow, and right.
  ASSERT_NO_FATAL_FAILURE(Pair());
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) {
      EXPECT_TRUE(Write(*near_, std::array{static_cast<std::byte>(i)}));
    }
  });
  std::vector<std::byte> got(500);
  EXPECT_TRUE(ReadExactly(*far_, got, Soon()));
  writer.join();
  EXPECT_EQ(got[257], std::byte{1});
}

TEST_F(TcpTest, ShutdownWakesAReaderAndTheListener) {
  ASSERT_NO_FATAL_FAILURE(Pair());
  std::thread reader([&] {
    std::array<std::byte, 8> out = {};
    EXPECT_EQ(near_->ReadSome(out, Deadline::Never()).error().code(), ErrorCode::kTargetLost);
  });
  near_->Shutdown();
  reader.join();
  std::thread waiting([&] {
    EXPECT_EQ(listener_->Accept(Deadline::Never()).error().code(), ErrorCode::kCancelled);
  });
  listener_->Shutdown();
  waiting.join();
  EXPECT_EQ(listener_->Accept(Soon()).error().code(), ErrorCode::kCancelled);
}

TEST_F(TcpTest, AcceptKeepsItsDeadline) {
  EXPECT_EQ(listener_->Accept(Deadline::After(0.02)).error().code(), ErrorCode::kDeadlineExceeded);
}

TEST_F(TcpTest, TenThousandConnections) {
  const std::uint16_t port = PortOf(*listener_);
  std::thread server([&] {
    for (int i = 0; i < 10'000; ++i) {
      auto accepted = listener_->Accept(Soon());
      ASSERT_TRUE(accepted) << accepted.error().ToString();
      ASSERT_TRUE(Write(**accepted, std::array{std::byte{0}}));
    }
  });
  int failed = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto connected = ConnectTcp("127.0.0.1", port, Soon());
    std::array<std::byte, 1> greeting = {};
    if (!connected || !(*connected)->ReadSome(greeting, Soon())) {
      ++failed;
      continue;
    }
    // A reset leaves no socket in TIME_WAIT, of which the system has no endless number.
    Reset(std::move(*connected));
  }
  server.join();
  EXPECT_EQ(failed, 0);
}

TEST(TcpHostTest, LoopbackIsRecognised) {
  for (const char* host : {"", "localhost", "127.0.0.1", "127.1.2.3", "::1", "[::1]"}) {
    const auto loopback = IsLoopbackHost(host);
    ASSERT_TRUE(loopback) << host << ": " << loopback.error().ToString();
    EXPECT_TRUE(*loopback) << host;
  }
  for (const char* host : {"0.0.0.0", "192.0.2.1", "::", "::ffff:192.0.2.1"}) {
    EXPECT_FALSE(IsLoopbackHost(host).value()) << host;
  }
  EXPECT_TRUE(IsLoopbackHost("::ffff:127.0.0.1").value());
  EXPECT_EQ(IsLoopbackHost("no-such-host.invalid").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace kenning
