// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <future>
#include <vector>

#include "transport/exact.h"
#include "transport/socket_channel.h"
#include "transport/tcp.h"
#include "transport/testing/certificates.h"

namespace kenning {
namespace {

using ::testing::HasSubstr;

Deadline Soon() { return Deadline::After(60); }

Result<> Write(Channel& channel, ConstBytes bytes) {
  return channel.WriteAll(std::span(&bytes, 1), Soon());
}

class TlsServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ =
        std::filesystem::path(::testing::TempDir()) / ("tls-server-" + std::to_string(::getpid()));
    const auto made = testing::MakeCertificates(folder_);
    ASSERT_TRUE(made) << made.error().ToString();
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }
  static TlsSettings Server() {
    return {.ca = folder_ / "ca.pem",
            .certificate = folder_ / "board.pem",
            .key = folder_ / "board-key.pem"};
  }
  static TlsSettings Client() {
    return {.ca = folder_ / "ca.pem",
            .certificate = folder_ / "workstation.pem",
            .key = folder_ / "workstation-key.pem",
            .server_name = "board.local"};
  }

  /// A client, a relay and the server's end behind it.
  void Connect() {
    auto plain = ListenTcp("", 0);
    ASSERT_TRUE(plain);
    const std::string address = (*plain)->address();
    TlsListener listener(std::move(*plain), Server());
    EXPECT_EQ(listener.address(), address);
    const auto port =
        static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
    auto near = ConnectTcp("127.0.0.1", port, Soon());
    ASSERT_TRUE(near);
    auto far = listener.AcceptPlain(Soon());
    ASSERT_TRUE(far);
    auto pair = MakeLoopbackPair();
    ASSERT_TRUE(pair);
    server_ = std::move(pair->first);
    relay_ = std::async(std::launch::async, [client = std::move(*far), settings = Server(),
                                             inner = std::move(pair->second)]() mutable {
      return RelayTls(std::move(client), settings, std::move(inner), {.write_s = 30});
    });
    auto client = TlsConnect(std::move(*near), Client(), Soon());
    ASSERT_TRUE(client) << client.error().ToString();
    client_ = std::move(*client);
  }
  static std::filesystem::path folder_;
  std::unique_ptr<TlsChannel> client_;
  std::unique_ptr<Channel> server_;
  std::future<Result<>> relay_;
};
std::filesystem::path TlsServerTest::folder_;

TEST_F(TlsServerTest, BytesPassAndTheServersEndIsSeen) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  const std::vector<std::byte> request(700'000, std::byte{7});
  auto sent = std::async(std::launch::async, [&] { return Write(*client_, request); });
  std::vector<std::byte> got(request.size());
  ASSERT_TRUE(ReadExactly(*server_, got, Soon()));
  EXPECT_TRUE(got == request);
  EXPECT_TRUE(sent.get());
  ASSERT_TRUE(Write(*server_, std::array{std::byte{1}, std::byte{2}}));
  server_.reset();
  ASSERT_TRUE(ReadExactly(*client_, std::span(got).first(2), Soon()));
  EXPECT_EQ(client_->ReadSome(got, Soon()).value(), 0U);
  client_.reset();
  const Result<> ended = relay_.get();
  EXPECT_TRUE(ended) << ended.error().ToString();
}

TEST_F(TlsServerTest, AfterTheClientsEndTheServerMayStillAnswer) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  ASSERT_TRUE(Write(*client_, std::array{std::byte{1}}));
  client_->EndWriting(Soon());
  std::array<std::byte, 4> got = {};
  EXPECT_EQ(server_->ReadSome(got, Soon()).value(), 1U);
  EXPECT_EQ(server_->ReadSome(got, Soon()).value(), 0U);
  ASSERT_TRUE(Write(*server_, std::array{std::byte{9}}));
  EXPECT_EQ(client_->ReadSome(got, Soon()).value(), 1U);
  EXPECT_EQ(got[0], std::byte{9});
  server_.reset();
  EXPECT_EQ(client_->ReadSome(got, Soon()).value(), 0U);
  EXPECT_TRUE(relay_.get());
}

// The server ends while the client has more to say: the answer that it gave arrives all the same.
TEST_F(TlsServerTest, AnAnswerOutlivesUnreadRequests) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  ASSERT_TRUE(Write(*client_, std::array{std::byte{1}}));
  std::array<std::byte, 4> got = {};
  EXPECT_EQ(server_->ReadSome(got, Soon()).value(), 1U);
  ASSERT_TRUE(Write(*client_, std::vector<std::byte>(100'000)));
  ASSERT_TRUE(Write(*server_, std::array{std::byte{9}}));
  server_.reset();
  EXPECT_EQ(client_->ReadSome(got, Soon()).value(), 1U);
  EXPECT_EQ(client_->ReadSome(got, Soon()).value(), 0U);
  client_.reset();
  EXPECT_TRUE(relay_.get());
}

TEST_F(TlsServerTest, ACutLineIsAnErrorAndEndsTheServersSide) {
  ASSERT_NO_FATAL_FAILURE(Connect());
  ASSERT_TRUE(Write(*client_, std::array{std::byte{1}}));
  std::array<std::byte, 4> got = {};
  EXPECT_EQ(server_->ReadSome(got, Soon()).value(), 1U);
  ::shutdown(client_->poll_descriptor(), SHUT_RDWR);
  EXPECT_EQ(server_->ReadSome(got, Soon()).value(), 0U);
  server_.reset();
  const Result<> ended = relay_.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), ErrorCode::kTargetLost);
}

TEST_F(TlsServerTest, SilentAndForeignClientsEndInTime) {
  auto outside = MakeLoopbackPair();
  auto inside = MakeLoopbackPair();
  ASSERT_TRUE(outside && inside);
  const Result<> silent = RelayTls(std::move(outside->second), Server(), std::move(inside->second),
                                   {.handshake_s = 0.02});
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code(), ErrorCode::kDeadlineExceeded);
  // The server's side is over, too.
  std::array<std::byte, 4> got = {};
  EXPECT_EQ(inside->first->ReadSome(got, Soon()).value(), 0U);

  auto plain = ListenTcp("", 0);
  ASSERT_TRUE(plain);
  TlsListener listener(std::move(*plain), Server());
  const std::string address = listener.address();
  const auto port = static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
  auto foreign = ConnectTcp("127.0.0.1", port, Soon());
  ASSERT_TRUE(foreign);
  ASSERT_TRUE(Write(**foreign, std::vector<std::byte>(64, std::byte{'G'})));
  const auto refused = listener.Accept(Soon());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("the client does not speak TLS"));
}

}  // namespace
}  // namespace kenning
