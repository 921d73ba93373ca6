// SPDX-License-Identifier: Apache-2.0
#include "network_protocol.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "kenning/registry/params_from_text.h"

namespace kenning {
void RegisterProtocols(Registry& registry);
namespace {

using testing::HasSubstr;

class NetworkProtocolTest : public testing::Test {
 protected:
  NetworkProtocolTest() {
    RegisterProtocols(registry_);
    RegisterKnownClasses(registry_);
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("protocol-" + std::to_string(::getpid()) +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  ~NetworkProtocolTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text, unsigned mode) {
    const auto path = folder_ / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path.string();
  }
  Result<std::unique_ptr<Transport>> Make(std::map<std::string, ParamValue> values) {
    const BlockInfo* info = registry_.Find(BlockCategory::kProtocol, "NetworkProtocol").value();
    auto all = DefaultParams(info->schema).values();
    for (auto& [name, value] : values) all[name] = value;
    BlockContext context;
    return info->make_transport(Params(all), context);
  }
  Registry registry_;
  std::filesystem::path folder_;
};

TEST_F(NetworkProtocolTest, KenningsNamesAreFound) {
  for (const char* name : {"NetworkProtocol", "kenning.protocols.network.NetworkProtocol",
                           "kenning.runtimeprotocols.network.NetworkProtocol"}) {
    const auto found = registry_.Find(BlockCategory::kProtocol, name);
    ASSERT_TRUE(found) << found.error().ToString();
    EXPECT_EQ((*found)->name, "NetworkProtocol");
  }
}

TEST_F(NetworkProtocolTest, DefaultsAreKennings) {
  const auto transport = Make({});
  ASSERT_TRUE(transport);
  EXPECT_EQ((*transport)->name(), "tcp://localhost:12345");
  const WireSettings& settings = (*transport)->settings();
  EXPECT_EQ(settings.dialect, WireDialect::kNetwork);
  EXPECT_EQ(settings.native, NativeMode::kAuto);
  EXPECT_FALSE(settings.error_recovery);
  EXPECT_EQ(settings.max_message_size, 1048576U);
  EXPECT_FALSE(settings.timeout_s);
  EXPECT_EQ(settings.token, "");
}

TEST_F(NetworkProtocolTest, ParametersReachTheSettings) {
  const auto transport = Make({{"host", std::string("::1")},
                               {"port", std::int64_t{7}},
                               {"error_recovery", true},
                               {"timeout", 2.5},
                               {"native", std::string("off")},
                               {"max_message_size", std::int64_t{1024}}});
  ASSERT_TRUE(transport);
  EXPECT_EQ((*transport)->name(), "tcp://[::1]:7");
  EXPECT_TRUE((*transport)->settings().error_recovery);
  EXPECT_EQ((*transport)->settings().timeout_s, 2.5);
  EXPECT_EQ((*transport)->settings().native, NativeMode::kOff);
  EXPECT_EQ((*transport)->settings().max_message_size, 1024U);
}

// Kenning's documents show `--host` without a value.
TEST_F(NetworkProtocolTest, NoHostMeansThisMachine) {
  for (const ParamValue& none : {ParamValue{}, ParamValue{std::string()}}) {
    const auto server = Make({{"host", none}, {"port", std::int64_t{0}}});
    ASSERT_TRUE(server);
    const auto listener = (*server)->Listen();
    ASSERT_TRUE(listener) << listener.error().ToString();
    const std::string address = (*listener)->address();
    EXPECT_THAT(address, HasSubstr("127.0.0.1:"));
    const std::int64_t port = std::stol(address.substr(address.rfind(':') + 1));
    const auto client = Make({{"host", none}, {"port", port}});
    ASSERT_TRUE(client);
    auto near = (*client)->Connect(Deadline::After(20));
    ASSERT_TRUE(near) << near.error().ToString();
    auto far = (*listener)->Accept(Deadline::After(20));
    ASSERT_TRUE(far) << far.error().ToString();
    const std::array<std::byte, 1> sent = {std::byte{42}};
    const ConstBytes piece(sent);
    ASSERT_TRUE((*near)->WriteAll(std::span(&piece, 1), Deadline::After(20)));
    std::array<std::byte, 4> got = {};
    EXPECT_EQ((*far)->ReadSome(got, Deadline::After(20)).value(), 1U);
    EXPECT_EQ(got[0], std::byte{42});
  }
}

TEST_F(NetworkProtocolTest, TheTokenIsASecret) {
  const std::string good = "0123456789abcdef";
  const auto made = Make({{"token_file", File("good", "  " + good + "\n", 0600)}});
  ASSERT_TRUE(made) << made.error().ToString();
  EXPECT_EQ((*made)->settings().token, good);
  const auto open = Make({{"token_file", File("open", good, 0644)}});
  ASSERT_FALSE(open);
  EXPECT_THAT(open.error().ToString(), HasSubstr("run: chmod 600"));
  const auto brief = Make({{"token_file", File("brief", "123\n", 0600)}});
  ASSERT_FALSE(brief);
  EXPECT_THAT(brief.error().ToString(), HasSubstr("a secret of 3 bytes"));
  EXPECT_FALSE(Make({{"token_file", (folder_ / "none").string()}}));
  const auto off = Make({{"token_file", File("off", good, 0600)}, {"native", std::string("off")}});
  ASSERT_FALSE(off);
  EXPECT_THAT(off.error().ToString(), HasSubstr("needs the native mode"));
}

TEST_F(NetworkProtocolTest, TlsIsAskedForAsAWhole) {
  const auto stray = Make({{"tls_ca", std::string("ca.pem")}});
  ASSERT_FALSE(stray);
  EXPECT_THAT(stray.error().message(), HasSubstr("tls_ca has no effect while TLS is off"));
  const auto made = Make({{"tls", std::string("on")}, {"port", std::int64_t{0}}});
  ASSERT_TRUE(made);
  EXPECT_EQ((*made)->name(), "tls://localhost:0");
  const auto listener = (*made)->Listen();
  ASSERT_FALSE(listener);
  EXPECT_THAT(listener.error().message(), HasSubstr("the target needs a certificate"));
}

TEST_F(NetworkProtocolTest, ConnectionsAreEncrypted) {
  const std::string folder = folder_.string() + "/";
  const std::string make =
      "cd '" + folder +
      "' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj /CN=a "
      "-addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem 2>/dev/null";
  ASSERT_EQ(std::system(make.c_str()), 0);
  const auto server = Make({{"port", std::int64_t{0}},
                            {"tls", std::string("on")},
                            {"tls_certificate", folder + "cert.pem"},
                            {"tls_key", folder + "key.pem"}});
  ASSERT_TRUE(server);
  const auto listener = (*server)->Listen();
  ASSERT_TRUE(listener) << listener.error().ToString();
  const std::string address = (*listener)->address();
  const std::int64_t port = std::stol(address.substr(address.rfind(':') + 1));
  const auto client =
      Make({{"port", port}, {"tls", std::string("on")}, {"tls_ca", folder + "cert.pem"}});
  ASSERT_TRUE(client);
  auto far =
      std::async(std::launch::async, [&] { return (*listener)->Accept(Deadline::After(60)); });
  const auto near = (*client)->Connect(Deadline::After(60));
  ASSERT_TRUE(near) << near.error().ToString();
  const auto accepted = far.get();
  ASSERT_TRUE(accepted) << accepted.error().ToString();
  EXPECT_EQ((*accepted)->descriptor(), -1);
  const std::array<std::byte, 1> sent = {std::byte{42}};
  const ConstBytes piece(sent);
  ASSERT_TRUE((*near)->WriteAll(std::span(&piece, 1), Deadline::After(60)));
  std::array<std::byte, 4> got = {};
  EXPECT_EQ((*accepted)->ReadSome(got, Deadline::After(60)).value(), 1U);
  // The certificate holds no address.
  const auto by_address = Make({{"host", std::string("127.0.0.1")},
                                {"port", port},
                                {"tls", std::string("on")},
                                {"tls_ca", folder + "cert.pem"}});
  far = std::async(std::launch::async, [&] { return (*listener)->Accept(Deadline::After(60)); });
  EXPECT_FALSE((*by_address)->Connect(Deadline::After(60)));
  EXPECT_FALSE(far.get());
  const auto by_name = Make({{"host", std::string("127.0.0.1")},
                             {"port", port},
                             {"tls", std::string("on")},
                             {"tls_name", std::string("localhost")},
                             {"tls_ca", folder + "cert.pem"}});
  far = std::async(std::launch::async, [&] { return (*listener)->Accept(Deadline::After(60)); });
  EXPECT_TRUE((*by_name)->Connect(Deadline::After(60)));
  EXPECT_TRUE(far.get());
}

}  // namespace
}  // namespace kenning
