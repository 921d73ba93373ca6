// SPDX-License-Identifier: Apache-2.0
/// \file
/// TLS by OpenSSL over a Channel. Part kenning_part_tls.
#pragma once

#include "transport/tls_part.h"

namespace kenning::internal {

Result<std::unique_ptr<TlsChannel>> ConnectWithOpenSsl(std::unique_ptr<Channel> channel,
                                                       const TlsSettings& settings,
                                                       Deadline deadline);
Result<std::unique_ptr<TlsChannel>> AcceptWithOpenSsl(std::unique_ptr<Channel> channel,
                                                      const TlsSettings& settings,
                                                      Deadline deadline);
Result<> CheckServerFiles(const TlsSettings& settings);

}  // namespace kenning::internal
