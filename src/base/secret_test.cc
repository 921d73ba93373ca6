// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/secret.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace kenning {
namespace {

std::string Hex(const Digest& digest) {
  std::string text;
  for (const std::byte byte : digest) {
    text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  }
  return text;
}

TEST(SecretTest, HmacOfRfc4231) {
  const std::string data = "what do ya want for nothing?";
  EXPECT_EQ(Hex(HmacSha256("Jefe", std::as_bytes(std::span(data)))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Hex(HmacSha256("", {})),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(SecretTest, Comparison) {
  const Digest a = HmacSha256("a", {});
  Digest b = a;
  EXPECT_TRUE(EqualInConstantTime(a, b));
  b.back() ^= std::byte{1};
  EXPECT_FALSE(EqualInConstantTime(a, b));
  EXPECT_FALSE(EqualInConstantTime(a, std::span(a).first(31)));
  EXPECT_TRUE(EqualInConstantTime({}, {}));
}

TEST(SecretTest, RandomBytesDiffer) {
  Digest a{};
  Digest b{};
  FillRandom(a);
  FillRandom(b);
  EXPECT_NE(a, b);
}

}  // namespace
}  // namespace kenning
