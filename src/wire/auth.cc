// SPDX-License-Identifier: Apache-2.0
#include "wire/auth.h"

#include "wire/hex.h"

namespace kenning::wire {
namespace {

int DigitValue(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  return -1;
}

Digest Proof(std::string_view token, std::string_view role, std::string_view client_nonce,
             std::string_view server_nonce) {
  std::string text(role);
  text += client_nonce;
  text += server_nonce;
  return HmacSha256(token, std::as_bytes(std::span(text)));
}

}  // namespace

std::optional<Digest> DigestFromHex(std::string_view text) {
  Digest digest;
  if (text.size() != 2 * digest.size()) return std::nullopt;
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const int high = DigitValue(text[2 * i]);
    const int low = DigitValue(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    digest[i] = static_cast<std::byte>(16 * high + low);
  }
  return digest;
}

std::string NewNonce() {
  Digest bytes;
  FillRandom(bytes);
  return ToHex(bytes);
}

bool IsNonce(std::string_view text) { return DigestFromHex(text).has_value(); }

Digest ClientProof(std::string_view token, std::string_view client_nonce,
                   std::string_view server_nonce) {
  return Proof(token, "client", client_nonce, server_nonce);
}

Digest ServerProof(std::string_view token, std::string_view client_nonce,
                   std::string_view server_nonce) {
  return Proof(token, "server", client_nonce, server_nonce);
}

}  // namespace kenning::wire
