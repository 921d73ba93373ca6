// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "kenning/base/check.h"

namespace kenning {

Digest HmacSha256(std::string_view key, std::span<const std::byte> bytes) {
  Digest digest;
  unsigned int size = 0;
  KENNING_CHECK(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                     reinterpret_cast<unsigned char*>(digest.data()), &size) != nullptr);
  KENNING_CHECK(size == digest.size());
  return digest;
}

bool EqualInConstantTime(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void FillRandom(std::span<std::byte> out) {
  KENNING_CHECK(
      RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) == 1);
}

}  // namespace kenning
