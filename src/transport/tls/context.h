// SPDX-License-Identifier: Apache-2.0
/// \file
/// Settings and files to OpenSSL's objects. Part kenning_part_tls.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "transport/tls_part.h"

namespace kenning::internal {

struct SslDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslDeleter>;
using X509Handle = std::unique_ptr<X509, SslDeleter>;
using SslHandle = std::unique_ptr<SSL, SslDeleter>;

enum class TlsRole : std::uint8_t { kClient, kServer };

/// How the other side's certificate is judged, and what was found wrong with it.
struct PeerCheck {
  std::string pin;         ///< What FingerprintDigits gives of the expected fingerprint; empty: by
                           ///< authority and name.
  int reason = 0;          ///< X509_V_…
  X509Handle certificate;  ///< The one that is at fault: the other side's, or an authority's.
};

/// TLS 1.3 alone; files read and checked. The context serves one connection; `check` must outlive
/// it. \return kInvalidArgument, kNotFound, kUnavailable.
Result<SslContext> MakeContext(const TlsSettings& settings, TlsRole role, PeerCheck& check);
/// One connection of it: role and expected name.
Result<SslHandle> MakeHandle(SSL_CTX& context, const TlsSettings& settings, TlsRole role);
/// Of a fingerprint: the 64 digits alone, lower case; empty where it is none.
std::string FingerprintDigits(const std::string& text);
/// SHA-256 of a certificate, 64 digits.
std::string FingerprintOf(const X509& certificate);

}  // namespace kenning::internal
