// SPDX-License-Identifier: Apache-2.0
/// \file
/// Channels over connected sockets, whoever connected them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "kenning/core/transport.h"
#include "transport/unique_fd.h"

namespace kenning {

/// A channel over a connected stream socket (TCP or UNIX); takes the descriptor. While data are
/// there, a read is one recv and a write one sendmsg. `spin_ns`: how long a read asks again and
/// again before it sleeps, where answers have come that fast of late; a processor that sleeps takes
/// longer to wake than a loopback or a fast network to answer.
std::unique_ptr<Channel> MakeSocketChannel(UniqueFd socket, std::string peer,
                                           std::int64_t spin_ns = 0);

/// A channel over any descriptor that another process left open for us: a stream socket, or a
/// terminal or pipe (one that reads and writes). Takes it. \return kInvalidArgument where it is
/// none of these.
Result<std::unique_ptr<Channel>> AdoptDescriptor(int descriptor, std::string peer);

/// Two channels that are connected to each other, in this process. \return kIo.
Result<std::pair<std::unique_ptr<Channel>, std::unique_ptr<Channel>>> MakeLoopbackPair();

}  // namespace kenning
