// SPDX-License-Identifier: Apache-2.0
/// \file
/// The border to `kenning_part_tls.so`. Private to src/transport.
#pragma once

#include "transport/tls_part.h"

namespace kenning::internal {

/// Raised whenever a type below, or in tls_part.h, changes.
inline constexpr std::uint32_t kTlsPartAbiVersion = 1;

/// What the part's one C symbol, `kenning_part_tls_entry`, returns (static storage).
struct TlsPart {
  std::uint32_t abi_version = kTlsPartAbiVersion;
  Result<std::unique_ptr<TlsChannel>> (*connect)(std::unique_ptr<Channel> channel,
                                                 const TlsSettings& settings,
                                                 Deadline deadline) = nullptr;
  Result<std::unique_ptr<TlsChannel>> (*accept)(std::unique_ptr<Channel> channel,
                                                const TlsSettings& settings,
                                                Deadline deadline) = nullptr;
  Result<> (*check_server_files)(const TlsSettings& settings) = nullptr;
};
using TlsPartEntry = const TlsPart* (*)();

}  // namespace kenning::internal
