// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/digest.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"

namespace kenning {
namespace {

TEST(DigestTest, PiecesAreTheWhole) {
  Sha256 hash;
  hash.Add("a");
  hash.Add("");
  hash.Add("bc");
  const std::string hex = hash.FinishHex();
  EXPECT_EQ(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex, Sha256Hex("abc"));
}

TEST(DigestTest, BytesAndDigitsAgree) {
  Sha256 hash;
  hash.Add("abc");
  const auto bytes = hash.Finish();
  EXPECT_EQ(bytes.front(), std::byte{0xBA});
  EXPECT_EQ(bytes.back(), std::byte{0xAD});
}

}  // namespace
}  // namespace kenning
