// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>
#include <vector>

#include "kenning/base/file.h"
#include "transport/exact.h"
#include "transport/socket_channel.h"
#include "transport/testing/certificates.h"
#include "transport/tls_part.h"

namespace kenning {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Deadline Soon() { return Deadline::After(60); }

std::vector<std::byte> Pattern(std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 31 + (i >> 8U));
  return bytes;
}

Result<> Write(Channel& channel, ConstBytes bytes, Deadline deadline = Soon()) {
  return channel.WriteAll(std::span(&bytes, 1), deadline);
}

class TlsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::filesystem::path(::testing::TempDir()) / ("tls-" + std::to_string(::getpid()));
    const auto made = testing::MakeCertificates(folder_);
    ASSERT_TRUE(made) << made.error().ToString();
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static std::filesystem::path File(const std::string& name) { return folder_ / name; }
  static TlsSettings ServerSettings() {
    return {.ca = File("ca.pem"), .certificate = File("board.pem"), .key = File("board-key.pem")};
  }
  static TlsSettings ClientSettings() {
    return {.ca = File("ca.pem"),
            .certificate = File("workstation.pem"),
            .key = File("workstation-key.pem"),
            .server_name = "board.local"};
  }

  /// Both sides shake hands at once.
  struct Sides {
    Result<std::unique_ptr<TlsChannel>> client;
    Result<std::unique_ptr<TlsChannel>> server;
  };
  static Sides Shake(const TlsSettings& client, const TlsSettings& server) {
    auto pair = MakeLoopbackPair();
    EXPECT_TRUE(pair);
    auto accepted =
        std::async(std::launch::async, [&server, far = std::move(pair->second)]() mutable {
          return TlsAccept(std::move(far), server, Soon());
        });
    auto connected = TlsConnect(std::move(pair->first), client, Soon());
    if (!connected) return {std::move(connected), accepted.get()};
    Result<std::unique_ptr<TlsChannel>> server_side = accepted.get();
    return {std::move(connected), std::move(server_side)};
  }
  static std::filesystem::path folder_;
};
std::filesystem::path TlsTest::folder_;

TEST_F(TlsTest, BytesPassBothWaysAtOnce) {
  Sides sides = Shake(ClientSettings(), ServerSettings());
  ASSERT_TRUE(sides.client) << sides.client.error().ToString();
  ASSERT_TRUE(sides.server) << sides.server.error().ToString();
  TlsChannel& near = **sides.client;
  TlsChannel& far = **sides.server;
  EXPECT_EQ(near.peer_subject(), "CN=board");
  EXPECT_EQ(far.peer_subject(), "CN=workstation");
  EXPECT_EQ(near.descriptor(), -1);
  EXPECT_GE(near.poll_descriptor(), 0);
  const std::vector<std::byte> bytes = Pattern(3'000'000);
  // Small and large pieces around the size of a record.
  std::vector<ConstBytes> pieces;
  std::size_t at = 0;
  for (const std::size_t size : {12U, 0U, 16372U, 16384U, 16385U, 5U, 700'000U, 1U, 40'000U}) {
    pieces.push_back(ConstBytes(bytes).subspan(at, size));
    at += size;
  }
  pieces.push_back(ConstBytes(bytes).subspan(at));
  std::thread near_writer([&] { EXPECT_TRUE(near.WriteAll(pieces, Soon())); });
  std::thread far_writer([&] { EXPECT_TRUE(far.WriteAll(pieces, Soon())); });
  std::vector<std::byte> far_got(bytes.size());
  std::thread far_reader([&] { EXPECT_TRUE(ReadExactly(far, far_got, Soon())); });
  std::vector<std::byte> got(bytes.size());
  EXPECT_TRUE(ReadExactly(near, got, Soon()));
  near_writer.join();
  far_writer.join();
  far_reader.join();
  EXPECT_TRUE(got == bytes && far_got == bytes);
  EXPECT_FALSE(near.pending());
}

TEST_F(TlsTest, DeadlinesAreKeptAndNothingIsLost) {
  Sides sides = Shake(ClientSettings(), ServerSettings());
  ASSERT_TRUE(sides.client && sides.server);
  std::array<std::byte, 8> out = {};
  EXPECT_EQ((*sides.client)->ReadSome(out, Deadline::After(0)).error().code(),
            ErrorCode::kDeadlineExceeded);
  EXPECT_EQ((*sides.client)->ReadSome(out, Deadline::After(0.02)).error().code(),
            ErrorCode::kDeadlineExceeded);
  ASSERT_TRUE(Write(**sides.server, Pattern(8)));
  ASSERT_TRUE(ReadExactly(**sides.client, out, Soon()));
  EXPECT_EQ(out[7], Pattern(8)[7]);
  const std::vector<std::byte> much(32'000'000);
  EXPECT_EQ(Write(**sides.client, much, Deadline::After(0.05)).error().code(),
            ErrorCode::kDeadlineExceeded);
  // An unknown part of a record was written.
  EXPECT_EQ(Write(**sides.client, out).error().code(), ErrorCode::kTargetLost);
}

TEST_F(TlsTest, AnOrderlyEndIsToldFromACutLine) {
  Sides sides = Shake(ClientSettings(), ServerSettings());
  ASSERT_TRUE(sides.client && sides.server);
  std::array<std::byte, 8> out = {};
  sides.client->reset();
  EXPECT_EQ((*sides.server)->ReadSome(out, Soon()).value(), 0U);

  sides = Shake(ClientSettings(), ServerSettings());
  ASSERT_TRUE(sides.client && sides.server);
  ::shutdown((*sides.client)->poll_descriptor(), SHUT_RDWR);
  const auto cut = (*sides.server)->ReadSome(out, Soon());
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code(), ErrorCode::kTargetLost);
  EXPECT_THAT(cut.error().message(), HasSubstr("without the other side's word"));
}

TEST_F(TlsTest, ShutdownWakesAReader) {
  Sides sides = Shake(ClientSettings(), ServerSettings());
  ASSERT_TRUE(sides.client && sides.server);
  std::thread reader([&] {
    std::array<std::byte, 8> out = {};
    EXPECT_EQ((*sides.client)->ReadSome(out, Deadline::Never()).error().code(),
              ErrorCode::kTargetLost);
  });
  (*sides.client)->Shutdown();
  reader.join();
}

TEST_F(TlsTest, ChangedBytesEndTheConnection) {
  auto near = MakeLoopbackPair();
  auto far = MakeLoopbackPair();
  ASSERT_TRUE(near && far);
  const TlsSettings server = ServerSettings();
  auto accepted = std::async(std::launch::async,
                             [&] { return TlsAccept(std::move(far->second), server, Soon()); });
  // Somebody in between passes the handshake on and then turns one bit.
  std::atomic<bool> evil{false};
  const auto pass = [&evil](Channel& from, Channel& to, bool tamper) {
    std::vector<std::byte> buffer(65536);
    while (true) {
      const auto got = from.ReadSome(buffer, Soon());
      if (!got || *got == 0) break;
      if (tamper && evil) buffer[*got - 1] ^= std::byte{1};
      if (!Write(to, std::span(buffer).first(*got))) break;
    }
    to.Shutdown();
  };
  std::thread up([&] { pass(*near->second, *far->first, true); });
  std::thread down([&] { pass(*far->first, *near->second, false); });
  auto client = TlsConnect(std::move(near->first), ClientSettings(), Soon());
  ASSERT_TRUE(client) << client.error().ToString();
  auto served = accepted.get();
  ASSERT_TRUE(served) << served.error().ToString();
  evil = true;
  ASSERT_TRUE(Write(**client, Pattern(100)));
  std::array<std::byte, 100> out = {};
  EXPECT_EQ((*served)->ReadSome(out, Soon()).error().code(), ErrorCode::kTargetLost);
  served->reset();
  client->reset();
  up.join();
  down.join();
}

TEST_F(TlsTest, TheTargetsCertificateIsChecked) {
  TlsSettings other = ClientSettings();
  other.ca = File("other/ca.pem");
  Sides sides = Shake(other, ServerSettings());
  ASSERT_FALSE(sides.client);
  EXPECT_EQ(sides.client.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(sides.client.error().message(),
              AllOf(HasSubstr("was not signed by the authority in"), HasSubstr("other/ca.pem")));
  // The target learns why.
  ASSERT_FALSE(sides.server);
  EXPECT_THAT(sides.server.error().message(),
              AllOf(HasSubstr("does not trust our certificate"), HasSubstr("board.pem")));

  TlsSettings elsewhere = ClientSettings();
  elsewhere.server_name = "192.0.2.9";
  sides = Shake(elsewhere, ServerSettings());
  ASSERT_FALSE(sides.client);
  EXPECT_THAT(sides.client.error().message(), HasSubstr("is not for \"192.0.2.9\" but for DNS:board"
                                                        ".local, IP Address:192.0.2.7"));
  for (const char* name : {"192.0.2.7", "board.local"}) {
    elsewhere.server_name = name;
    EXPECT_TRUE(Shake(elsewhere, ServerSettings()).client) << name;
  }

  TlsSettings old = ServerSettings();
  old.certificate = File("old.pem");
  old.key = File("old-key.pem");
  sides = Shake(ClientSettings(), old);
  ASSERT_FALSE(sides.client);
  EXPECT_THAT(sides.client.error().message(),
              AllOf(HasSubstr("the target's certificate has expired on"), HasSubstr("clock")));

  // A host's certificate does not make a target.
  TlsSettings disguised = ServerSettings();
  disguised.certificate = File("workstation.pem");
  disguised.key = File("workstation-key.pem");
  sides = Shake(ClientSettings(), disguised);
  ASSERT_FALSE(sides.client);
  EXPECT_THAT(sides.client.error().message(), HasSubstr("extendedKeyUsage"));
}

TEST_F(TlsTest, AFingerprintIsEnough) {
  std::string printed = ReadFile(File("fingerprint")).value();
  printed = printed.substr(printed.find('=') + 1);
  printed.erase(printed.find('\n'));
  TlsSettings pinned = {.certificate = File("workstation.pem"),
                        .key = File("workstation-key.pem"),
                        .fingerprint = printed};
  EXPECT_TRUE(Shake(pinned, ServerSettings()).client);
  TlsSettings another = ServerSettings();
  another.certificate = File("other/board.pem");
  another.key = File("other/board-key.pem");
  Sides sides = Shake(pinned, another);
  ASSERT_FALSE(sides.client);
  EXPECT_THAT(sides.client.error().message(), HasSubstr("has the fingerprint"));
  pinned.fingerprint = "12:34";
  sides = Shake(pinned, ServerSettings());
  ASSERT_FALSE(sides.client);
  EXPECT_EQ(sides.client.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(sides.client.error().message(), HasSubstr("64 hexadecimal digits"));
}

TEST_F(TlsTest, TheHostsCertificateIsChecked) {
  const auto refused = [](const TlsSettings& client, const std::string& server_says,
                          const std::string& client_says) {
    Sides sides = Shake(client, ServerSettings());
    ASSERT_FALSE(sides.server);
    EXPECT_EQ(sides.server.error().code(), ErrorCode::kUnavailable);
    EXPECT_THAT(sides.server.error().message(), HasSubstr(server_says));
    // The client's handshake is over before the server has looked.
    ASSERT_TRUE(sides.client) << sides.client.error().ToString();
    std::array<std::byte, 1> out = {};
    for (int again = 0; again < 2; ++again) {
      const auto told = (*sides.client)->ReadSome(out, Soon());
      ASSERT_FALSE(told);
      EXPECT_EQ(told.error().code(), ErrorCode::kUnavailable);
      EXPECT_THAT(told.error().message(), HasSubstr(client_says));
    }
  };
  TlsSettings client = ClientSettings();
  client.certificate.clear();
  client.key.clear();
  refused(client, "the client showed no certificate", "the target wants a certificate");
  client.certificate = File("other/workstation.pem");
  client.key = File("other/workstation-key.pem");
  refused(client, "the client's certificate was not signed by the authority in",
          "does not trust our certificate");
  client.certificate = File("late.pem");
  client.key = File("late-key.pem");
  refused(client, "the client's certificate has expired on", "has expired");

  // Without an authority the server asks nobody for a certificate.
  TlsSettings open = ServerSettings();
  open.ca.clear();
  client.certificate.clear();
  client.key.clear();
  Sides sides = Shake(client, open);
  ASSERT_TRUE(sides.client && sides.server);
  EXPECT_EQ((*sides.server)->peer_subject(), "");
}

TEST_F(TlsTest, OurOwnFilesAreNamed) {
  const auto says = [](const TlsSettings& settings) {
    const auto checked = CheckTlsServerFiles(settings);
    return checked ? std::string("fine") : checked.error().message();
  };
  EXPECT_EQ(says(ServerSettings()), "fine");
  TlsSettings settings = ServerSettings();
  settings.certificate = File("none.pem");
  EXPECT_THAT(says(settings), HasSubstr("none.pem: No such file"));
  settings.certificate = File("script");
  EXPECT_THAT(says(settings), HasSubstr("script is no certificate (PEM)"));
  settings = ServerSettings();
  settings.key = File("workstation-key.pem");
  EXPECT_THAT(says(settings), HasSubstr("is not the key of the certificate"));
  settings.key = File("fingerprint");
  EXPECT_THAT(says(settings), HasSubstr("fingerprint is no private key"));
  settings.key.clear();
  EXPECT_THAT(says(settings), HasSubstr("a certificate needs its key"));
  settings.certificate.clear();
  EXPECT_THAT(says(settings), HasSubstr("the target needs a certificate"));
  settings = ServerSettings();
  settings.ca = File("script");
  EXPECT_THAT(says(settings), HasSubstr("script is no certificate of a certification authority"));

  std::filesystem::copy_file(File("board-key.pem"), File("open-key.pem"));
  ASSERT_EQ(::chmod(File("open-key.pem").c_str(), 0644), 0);
  settings = ServerSettings();
  settings.key = File("open-key.pem");
  EXPECT_THAT(says(settings), HasSubstr("run: chmod 600"));

  const std::string lock = "openssl ec -aes128 -passout pass:secret -in '" +
                           File("board-key.pem").string() + "' -out '" +
                           File("locked-key.pem").string() + "' 2>/dev/null";
  ASSERT_EQ(std::system(lock.c_str()), 0);
  ASSERT_EQ(::chmod(File("locked-key.pem").c_str(), 0600), 0);
  settings.key = File("locked-key.pem");
  EXPECT_THAT(says(settings), HasSubstr("without a passphrase"));

  auto pair = MakeLoopbackPair();
  const auto untrusting = TlsConnect(std::move(pair->first), {}, Soon());
  ASSERT_FALSE(untrusting);
  EXPECT_THAT(untrusting.error().message(), HasSubstr("which target is to be trusted"));
}

TEST_F(TlsTest, WhoDoesNotSpeakTlsIsToldSo) {
  // Kenning's server greets with a zero byte.
  auto pair = MakeLoopbackPair();
  ASSERT_TRUE(pair);
  ASSERT_TRUE(Write(*pair->second, std::vector<std::byte>(12)));
  const auto client = TlsConnect(std::move(pair->first), ClientSettings(), Soon());
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(client.error().message(), HasSubstr("the target does not speak TLS"));

  // A client that says nothing, and one that leaves.
  pair = MakeLoopbackPair();
  EXPECT_EQ(
      TlsAccept(std::move(pair->second), ServerSettings(), Deadline::After(0.02)).error().code(),
      ErrorCode::kDeadlineExceeded);
  pair = MakeLoopbackPair();
  pair->first.reset();
  EXPECT_EQ(TlsAccept(std::move(pair->second), ServerSettings(), Soon()).error().code(),
            ErrorCode::kTargetLost);
  // Garbage of all sizes ends with an error, in time.
  for (std::size_t size = 1; size < 3000; size = size * 3 + 1) {
    pair = MakeLoopbackPair();
    ASSERT_TRUE(Write(*pair->first, Pattern(size)));
    ::shutdown(pair->first->descriptor(), SHUT_WR);
    EXPECT_FALSE(TlsAccept(std::move(pair->second), ServerSettings(), Soon())) << size;
  }
}

TEST_F(TlsTest, OlderVersionsAreRefused) {
  auto pair = MakeLoopbackPair();
  ASSERT_TRUE(pair);
  // A ClientHello of TLS 1.2 without supported_versions.
  std::vector<std::byte> hello;
  const auto put = [&hello](std::initializer_list<int> values) {
    for (const int value : values) hello.push_back(static_cast<std::byte>(value));
  };
  put({0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 3});
  for (int i = 0; i < 32; ++i) put({i});
  put({0, 0, 2, 0xC0, 0x2B, 1, 0});
  ASSERT_TRUE(Write(*pair->first, hello));
  ::shutdown(pair->first->descriptor(), SHUT_WR);
  const auto refused = TlsAccept(std::move(pair->second), ServerSettings(), Soon());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("TLS 1.3"));
}

}  // namespace
}  // namespace kenning
