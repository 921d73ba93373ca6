// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/explain.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <vector>

#include "kenning/base/clock.h"
#include "kenning/base/strings.h"
#include "transport/wait.h"

namespace kenning::internal {
namespace {

constexpr std::size_t kMostText = 300;

std::string TakeText(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string text(data, std::min(static_cast<std::size_t>(std::max(size, 0L)), kMostText));
  BIO_free(memory);
  return text;
}

std::string TimeText(const ASN1_TIME* time) {
  BIO* memory = BIO_new(BIO_s_mem());
  ASN1_TIME_print_ex(memory, time, ASN1_DTFLGS_ISO8601);
  return TakeText(memory);
}

/// The names and addresses that a certificate is for.
std::string NamesIn(const X509& certificate) {
  BIO* memory = BIO_new(BIO_s_mem());
  const int at = X509_get_ext_by_NID(&certificate, NID_subject_alt_name, -1);
  if (at >= 0) X509V3_EXT_print(memory, X509_get_ext(&certificate, at), 0, 0);
  const std::string names = TakeText(memory);
  return names.empty() ? "no name at all: its subjectAltName is missing" : names;
}

std::string Whose(TlsRole role) {
  return role == TlsRole::kClient ? "the target's certificate" : "the client's certificate";
}

std::string UntrustedText(const PeerCheck& check, const TlsSettings& settings, TlsRole role) {
  if (!check.certificate) return Whose(role) + " is not trusted";
  X509& certificate = *check.certificate;
  // The certificate of an authority may be the one at fault.
  const bool authority = X509_check_ca(&certificate) != 0;
  const std::string whose =
      authority ? fmt::format("the authority \"{}\" of {}",
                              NameText(X509_get_subject_name(&certificate)), Whose(role))
                : Whose(role);
  switch (check.reason) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format(
          "{} has expired on {}, and it is {} by the clock of this machine; make a "
          "new one",
          whose, TimeText(X509_get0_notAfter(&certificate)), WallTimeUtc());
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} is valid from {} on, and it is {} by the clock of this machine", whose,
                         TimeText(X509_get0_notBefore(&certificate)), WallTimeUtc());
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return fmt::format(
          "{} is not for \"{}\" but for {}; connect to one of these names, or make "
          "one that holds the other",
          whose, settings.server_name, NamesIn(certificate));
    case X509_V_ERR_CERT_REJECTED:
      return fmt::format(
          "{} has the fingerprint {}, not the expected one; where it was not "
          "replaced, somebody stands between",
          whose, FingerprintOf(certificate));
    case X509_V_ERR_INVALID_PURPOSE:
      return fmt::format("{} is not meant for this role (its extendedKeyUsage)", whose);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return fmt::format("{} was not signed by the authority in {} but by \"{}\"", whose,
                         settings.ca.string(), NameText(X509_get_issuer_name(&certificate)));
    default:
      return fmt::format("{} is not trusted: {}", whose,
                         X509_verify_cert_error_string(check.reason));
  }
}

// Numbers of RFC 8446, 6.2.
enum Alert : int {
  kHandshakeFailure = 40,
  kBadCertificate = 42,
  kUnsupportedCertificate = 43,
  kCertificateRevoked = 44,
  kCertificateExpired = 45,
  kCertificateUnknown = 46,
  kUnknownCa = 48,
  kDecryptError = 51,
  kProtocolVersion = 70,
  kCertificateRequired = 116,
};

/// What the other side says before it leaves; empty where it is nothing that we know.
std::string AlertText(int alert, const TlsSettings& settings, TlsRole role) {
  const std::string other = role == TlsRole::kClient ? "the target" : "the client";
  const std::string ours = settings.certificate.string();
  switch (alert) {
    case kCertificateRequired:
      return fmt::format(
          "{} wants a certificate, and we have shown none; give a certificate and its "
          "key that its authority signed",
          other);
    case kUnknownCa:
      return fmt::format(
          "{} does not trust our certificate {}: another authority signed it than "
          "the one that {} has",
          other, ours, other);
    case kCertificateExpired:
      return fmt::format(
          "{} says that our certificate {} has expired; make a new one, or set the "
          "clock there",
          other, ours);
    case kBadCertificate:
    case kUnsupportedCertificate:
    case kCertificateRevoked:
    case kCertificateUnknown:
    case kDecryptError:
      return fmt::format("{} does not accept our certificate {}", other, ours);
    case kHandshakeFailure:
    case kProtocolVersion:
      return fmt::format("{} and this side have no version of TLS in common; kenning needs TLS 1.3",
                         other);
    default:
      return "";
  }
}

bool SpeaksNoTls(int reason) {
  return reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST ||
         reason == SSL_R_PACKET_LENGTH_TOO_LONG || reason == SSL_R_BAD_RECORD_TYPE ||
         reason == SSL_R_RECORD_LENGTH_MISMATCH || reason == SSL_R_RECORD_TOO_SMALL;
}

/// The oldest error of libssl in the queue is the cause of those after it.
int TakeSslReason() {
  int reason = 0;
  while (const unsigned long error = ERR_get_error()) {
    if (reason == 0 && ERR_GET_LIB(error) == ERR_LIB_SSL) reason = ERR_GET_REASON(error);
  }
  return reason;
}

std::string ReasonText(int reason) {
  const char* text = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
  return text != nullptr ? text : "unknown reason";
}

}  // namespace

std::string LastReason() {
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = error != 0 ? ERR_reason_error_string(error) : nullptr;
  return text != nullptr ? text : "unknown reason";
}

tl::unexpected<Error> BadFile(const std::filesystem::path& path, const std::string& what) {
  const unsigned long first = ERR_peek_error();
  if (ERR_SYSTEM_ERROR(first)) {
    ERR_clear_error();
    const int number = ERR_GET_REASON(first);
    return Fail(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInvalidArgument,
                fmt::format("TLS: {}: {}", path.string(), SystemError(number)));
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("TLS: {} is no {} ({})", path.string(), what, LastReason()));
}

std::string NameText(const X509_NAME* name) {
  BIO* memory = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253);
  return TakeText(memory);
}

Error ExplainFailure(const PeerCheck& check, const TlsSettings& settings, TlsRole role,
                     const std::string& peer) {
  const int reason = TakeSslReason();
  const auto say = [&peer](ErrorCode code, const std::string& text) {
    return Error(code, fmt::format("{}: TLS: {}", peer, text));
  };
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    return say(ErrorCode::kUnavailable, UntrustedText(check, settings, role));
  }
  if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
    return say(
        ErrorCode::kUnavailable,
        fmt::format("the client showed no certificate; it needs one that the authority in {} "
                    "signed",
                    settings.ca.string()));
  }
  if (SpeaksNoTls(reason)) {
    return say(ErrorCode::kUnavailable,
               role == TlsRole::kClient
                   ? "the target does not speak TLS; start its agent with a certificate, or switch "
                     "TLS off here"
                   : "the client does not speak TLS; switch TLS on there");
  }
  if (reason == SSL_R_UNSUPPORTED_PROTOCOL) {
    return say(ErrorCode::kUnavailable, "the other side has no TLS 1.3");
  }
  if (reason > SSL_AD_REASON_OFFSET) {
    const std::string text = AlertText(reason - SSL_AD_REASON_OFFSET, settings, role);
    if (!text.empty()) return say(ErrorCode::kUnavailable, text);
  }
  return say(ErrorCode::kTargetLost, "the connection failed: " + ReasonText(reason));
}

}  // namespace kenning::internal
