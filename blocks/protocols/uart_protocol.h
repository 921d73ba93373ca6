// SPDX-License-Identifier: Apache-2.0
/// \file
/// Protocol "UARTProtocol": the wire over a serial line.
#pragma once

#include "kenning/registry/registry.h"

namespace kenning {

ParamSchema UartProtocolSchema();
/// Whether this build has serial lines.
Availability ProbeUart();
/// Opens nothing yet. \return the errors of the token's file.
Result<std::unique_ptr<Transport>> MakeUartProtocol(const Params& params, BlockContext& context);

}  // namespace kenning
