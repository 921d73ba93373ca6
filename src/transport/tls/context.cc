// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/context.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <sys/auxv.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <span>

#include "kenning/base/digest.h"
#include "transport/secret_file.h"
#include "transport/tls/explain.h"

namespace kenning::internal {
namespace {

constexpr const char* kHowTo = "docs/howto/secure-target.md";

// Without instructions for AES, ChaCha20 is several times faster.
bool ProcessorHasAes() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("aes") != 0;
#elif defined(__aarch64__)
  constexpr unsigned long kHwcapAes = 1UL << 3U;
  return (::getauxval(AT_HWCAP) & kHwcapAes) != 0;
#else
  return false;
#endif
}

Result<> ReadCertificate(SSL_CTX& context, const TlsSettings& settings) {
  const std::string certificate = settings.certificate.string();
  const std::string key = settings.key.string();
  if (SSL_CTX_use_certificate_chain_file(&context, certificate.c_str()) != 1) {
    return BadFile(settings.certificate, "certificate (PEM)");
  }
  KENNING_RETURN_IF_ERROR(CheckSecretFile(settings.key));
  // The default asks for a passphrase at the terminal.
  SSL_CTX_set_default_passwd_cb(&context, [](char*, int, int, void*) { return 0; });
  if (SSL_CTX_use_PrivateKey_file(&context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const unsigned long error = ERR_peek_last_error();
    if (ERR_GET_LIB(error) == ERR_LIB_X509) {
      ERR_clear_error();
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} is not the key of the certificate {}", key, certificate));
    }
    return BadFile(settings.key, "private key (PEM, without a passphrase)");
  }
  return {};
}

Result<> ReadCa(SSL_CTX& context, const TlsSettings& settings, TlsRole role) {
  if (SSL_CTX_load_verify_file(&context, settings.ca.c_str()) != 1) {
    return BadFile(settings.ca, "certificate of a certification authority (PEM)");
  }
  if (role == TlsRole::kServer) {
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return {};
}

Result<> CheckSettings(const TlsSettings& settings, TlsRole role) {
  if (settings.certificate.empty() != settings.key.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("TLS: a certificate needs its key and a key its certificate; give both "
                            "({} makes them)",
                            kHowTo));
  }
  if (role == TlsRole::kServer) {
    if (!settings.certificate.empty()) return {};
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("TLS: the target needs a certificate and its key ({} makes them)", kHowTo));
  }
  if (!settings.fingerprint.empty()) {
    if (!FingerprintDigits(settings.fingerprint).empty()) return {};
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("TLS: \"{}\" is no fingerprint: it has 64 hexadecimal digits; print one "
                    "with: openssl x509 -noout -fingerprint -sha256 -in CERTIFICATE",
                    settings.fingerprint));
  }
  if (settings.ca.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("TLS: which target is to be trusted? Give the certificate of the "
                            "authority that signed the target's, or the target's fingerprint ({})",
                            kHowTo));
  }
  if (settings.server_name.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "TLS: the target's name is not given");
  }
  return {};
}

int CheckPeer(X509_STORE_CTX* store, void* data) {
  auto& check = *static_cast<PeerCheck*>(data);
  X509* at_fault = X509_STORE_CTX_get0_cert(store);
  int trusted = 0;
  if (check.pin.empty()) {
    trusted = X509_verify_cert(store);
    if (trusted != 1 && X509_STORE_CTX_get_current_cert(store) != nullptr) {
      at_fault = X509_STORE_CTX_get_current_cert(store);
    }
  } else {
    trusted = at_fault != nullptr && FingerprintOf(*at_fault) == check.pin ? 1 : 0;
    X509_STORE_CTX_set_error(store, trusted == 1 ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
  }
  if (trusted == 1) return 1;
  check.reason = X509_STORE_CTX_get_error(store);
  if (at_fault != nullptr && X509_up_ref(at_fault) == 1) check.certificate.reset(at_fault);
  return 0;
}

bool IsAddress(const std::string& name) {
  std::array<unsigned char, 16> bytes = {};
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

}  // namespace

std::string FingerprintDigits(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (c == ':') continue;
    if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return "";
    digits.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return digits.size() == 64 ? digits : "";
}

std::string FingerprintOf(const X509& certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> hash = {};
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), hash.data(), &size) != 1) return "";
  return ToHex(std::as_bytes(std::span(hash).first(size)));
}

Result<SslContext> MakeContext(const TlsSettings& settings, TlsRole role, PeerCheck& check) {
  KENNING_RETURN_IF_ERROR(CheckSettings(settings, role));
  const bool server = role == TlsRole::kServer;
  SslContext context(SSL_CTX_new(server ? TLS_server_method() : TLS_client_method()));
  if (!context) return Fail(ErrorCode::kUnavailable, "OpenSSL: " + LastReason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(
      context.get(), ProcessorHasAes() ? "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                         "TLS_CHACHA20_POLY1305_SHA256"
                                       : "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
  // The side without instructions for AES has its way.
  if (server) {
    SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  }
  // Sessions are not resumed: a connection lasts long, and tickets would be one more secret.
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  // Large reads from the connection; buffers go back while nothing is under way.
  SSL_CTX_set_read_ahead(context.get(), 1);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  if (!server) SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!settings.certificate.empty()) {
    KENNING_RETURN_IF_ERROR(ReadCertificate(*context, settings));
  }
  SSL_CTX_set_cert_verify_callback(context.get(), CheckPeer, &check);
  if (!settings.ca.empty() && check.pin.empty()) {
    KENNING_RETURN_IF_ERROR(ReadCa(*context, settings, role));
  }
  ERR_clear_error();
  return context;
}

Result<SslHandle> MakeHandle(SSL_CTX& context, const TlsSettings& settings, TlsRole role) {
  SslHandle ssl(SSL_new(&context));
  if (!ssl) return Fail(ErrorCode::kUnavailable, "OpenSSL: " + LastReason());
  if (role == TlsRole::kServer) {
    SSL_set_accept_state(ssl.get());
    return ssl;
  }
  SSL_set_connect_state(ssl.get());
  if (settings.server_name.empty() || !settings.fingerprint.empty()) return ssl;
  std::string name = settings.server_name;
  if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl.get());
  bool taken = false;
  if (IsAddress(name)) {
    taken = X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1;
  } else {
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    taken = X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1 &&
            SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                     name.data()) == 1;
  }
  if (!taken) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("TLS: \"{}\" is no host name", name));
  }
  return ssl;
}

}  // namespace kenning::internal
