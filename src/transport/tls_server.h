// SPDX-License-Identifier: Apache-2.0
/// \file
/// TLS on the side that is called: a listener, and the relay between its connections and who serves
/// them without knowing of TLS.
#pragma once

#include <functional>
#include <memory>

#include "kenning/core/transport.h"
#include "transport/tls_part.h"

namespace kenning {

/// Over a listener of plain connections. Its descriptor is the plain one's.
class TlsListener final : public Listener {
 public:
  TlsListener(std::unique_ptr<Listener> plain, TlsSettings settings)
      : plain_(std::move(plain)), settings_(std::move(settings)) {}
  /// Shakes hands, in at most ten seconds, before it gives the connection away. \return besides the
  /// listener's errors those of TlsAccept, which concern that one client.
  Result<std::unique_ptr<Channel>> Accept(Deadline deadline) override;
  /// The connection as it is, for who shakes hands elsewhere (RelayTls): a client that is silent
  /// then holds nobody up.
  Result<std::unique_ptr<Channel>> AcceptPlain(Deadline deadline) {
    return plain_->Accept(deadline);
  }
  const TlsSettings& settings() const { return settings_; }
  void Shutdown() noexcept override { plain_->Shutdown(); }
  std::string address() const override { return plain_->address(); }
  int descriptor() const override { return plain_->descriptor(); }

 private:
  std::unique_ptr<Listener> plain_;
  TlsSettings settings_;
};

struct RelayOptions {
  double handshake_s = 10;
  double write_s = 30;  ///< For one portion, where the reader does not read.
  /// Called once the client is let in, before its first byte is passed on; may be empty.
  std::function<void(const TlsChannel&)> on_established;
};

/// Shakes hands with `client` and passes bytes between it and `plain`, a channel with a descriptor
/// (MakeLoopbackPair), until both directions have ended or `plain`'s other end is gone. An orderly
/// end of the client's reaches the other end of `plain`, which may still answer. Blocks; uses a
/// second thread. \return success after an orderly end; else the error of the handshake or of the
/// client's connection.
Result<> RelayTls(std::unique_ptr<Channel> client, const TlsSettings& settings,
                  std::unique_ptr<Channel> plain, const RelayOptions& options = {});

}  // namespace kenning
