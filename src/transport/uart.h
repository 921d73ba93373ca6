// SPDX-License-Identifier: Apache-2.0
/// \file
/// Serial lines: 8 data bits, no parity, one stop bit, no flow control, bytes as they are.
#pragma once

#include <memory>
#include <string>

#include "kenning/core/transport.h"

namespace kenning {

struct UartSettings {
  std::string port;  ///< "/dev/ttyUSB0", "/dev/serial/by-id/…".
  int baud_rate = 9600;
};

/// Whether this build has serial lines (CMake's KENNING_UART).
bool UartIsBuilt();

/// Opens the line for this process alone and drops what was received before. A write returns when
/// the bytes have left the machine, as far as the driver tells.
/// \return kTargetLost (no such device, no permission, in use: with the remedy), kInvalidArgument
/// (no serial line, a speed that the driver refuses), kUnavailable where the build has none.
Result<std::unique_ptr<Channel>> OpenUart(const UartSettings& settings);

/// A line has no connections: Accept returns when the first bytes come, and again for the bytes
/// that come once the channel before is gone. A device that was unplugged is opened anew.
/// \return as OpenUart.
Result<std::unique_ptr<Listener>> ListenUart(const UartSettings& settings);

}  // namespace kenning
