// SPDX-License-Identifier: Apache-2.0
/// \file
/// Proof of the shared token (kHello and kAuth), used by both sides: each shows that it knows the
/// token over both nonces, so that nothing recorded can be played again.
#pragma once

#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "kenning/base/secret.h"

namespace kenning::wire {

/// 64 lower-case hexadecimal digits from 32 random bytes: "nonce" of HELLO and of its answer.
std::string NewNonce();
/// Whether a peer's nonce has the form of NewNonce.
bool IsNonce(std::string_view text);

/// The body of AUTH: HMAC-SHA256(token, "client" + client_nonce + server_nonce), nonces as their
/// hexadecimal text.
Digest ClientProof(std::string_view token, std::string_view client_nonce,
                   std::string_view server_nonce);
/// The body of its answer: the same with "server".
Digest ServerProof(std::string_view token, std::string_view client_nonce,
                   std::string_view server_nonce);

}  // namespace kenning::wire
