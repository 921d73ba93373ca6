// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/tls_session.h"
#include "transport/tls_abi.h"

extern "C" __attribute__((visibility("default"))) const kenning::internal::TlsPart*
kenning_part_tls_entry();

extern "C" const kenning::internal::TlsPart* kenning_part_tls_entry() {
  static const kenning::internal::TlsPart part = {
      .connect = kenning::internal::ConnectWithOpenSsl,
      .accept = kenning::internal::AcceptWithOpenSsl,
      .check_server_files = kenning::internal::CheckServerFiles,
  };
  return &part;
}
