// SPDX-License-Identifier: Apache-2.0
/// \file
/// TLS 1.3 over any Channel, with certificates on both sides. OpenSSL's libssl lies in a part of
/// its own, `kenning_part_tls.so`, which is loaded by the first call.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "kenning/core/transport.h"

namespace kenning {

/// Files are PEM. docs/howto/secure-target.md makes them.
struct TlsSettings {
  std::filesystem::path ca;  ///< Who signs the other side's certificate. Server: if given, clients
                             ///< must show one.
  std::filesystem::path certificate;  ///< Our own, with intermediate ones after it. Server: needed.
  std::filesystem::path key;          ///< Of `certificate`; readable by its owner alone.
  std::string server_name;  ///< Client: name or address that the server's certificate must hold.
  std::string fingerprint;  ///< Client: SHA-256 of the server's certificate in hexadecimal, colons
                            ///< allowed. If given, CA and name are not asked.
};

/// The plain bytes of an encrypted connection. After ReadSome ended with kDeadlineExceeded it may
/// be called again and loses nothing; after a write that did, the connection is over.
class TlsChannel : public Channel {
 public:
  /// For poll: readable means that ReadSome may have bytes. Read until kDeadlineExceeded before
  /// polling again, as bytes may have been read ahead.
  virtual int poll_descriptor() const = 0;
  /// Bytes were read ahead: ReadSome may give some although poll_descriptor is quiet.
  virtual bool pending() const = 0;
  /// Says that no more will be written (close_notify) and ends that direction; reading goes on.
  virtual void EndWriting(Deadline deadline) noexcept = 0;
  /// Subject of the other side's certificate ("CN = workstation"); empty where it has none.
  virtual std::string peer_subject() const = 0;
};

/// Takes the channel and shakes hands as client or server. Nothing is trusted by default.
/// \return kUnavailable (no trust in the other side, or none of it in us; the part is not
/// installed), kInvalidArgument, kNotFound (our own files), kTargetLost, kDeadlineExceeded. All
/// name the file or setting to look at. Where a client's certificate is refused, its first ReadSome
/// says so, as the handshake of TLS 1.3 is over by then: kUnavailable.
Result<std::unique_ptr<TlsChannel>> TlsConnect(std::unique_ptr<Channel> channel,
                                               const TlsSettings& settings, Deadline deadline);
Result<std::unique_ptr<TlsChannel>> TlsAccept(std::unique_ptr<Channel> channel,
                                              const TlsSettings& settings, Deadline deadline);

/// Reads the server's files and forgets them: what TlsAccept would say later, at the start.
Result<> CheckTlsServerFiles(const TlsSettings& settings);

}  // namespace kenning
