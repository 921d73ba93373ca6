// SPDX-License-Identifier: Apache-2.0
/// \file
/// TCP: names and addresses, IPv4 and IPv6, connecting and listening.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kenning/core/transport.h"

namespace kenning {

/// Tries every address of `host` (a name, or an IPv4 or IPv6 address, also in brackets; empty:
/// localhost), in the system's order, until one answers. Delayed sending is off, keepalive is on.
/// \return kTargetLost where no address took the connection, kDeadlineExceeded where none answered
/// in time; both say what to check. kInvalidArgument for port 0.
Result<std::unique_ptr<Channel>> ConnectTcp(const std::string& host, std::uint16_t port,
                                            Deadline deadline);

/// Listens on one address: `host` as above; empty or "localhost": 127.0.0.1. Port 0: the system
/// chooses. "::" takes IPv4 as well. \return kIo (the address is in use or not of this machine, no
/// permission), kNotFound where the name is not known.
Result<std::unique_ptr<Listener>> ListenTcp(const std::string& host, std::uint16_t port);

/// Whether only this machine reaches a listener on `host`. \return kNotFound where the name is not
/// known.
Result<bool> IsLoopbackHost(const std::string& host);

/// "127.0.0.1:80", "[::1]:80".
std::string HostAndPort(const std::string& host, std::uint16_t port);

}  // namespace kenning
