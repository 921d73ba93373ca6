// SPDX-License-Identifier: Apache-2.0
/// \file
/// The settings of a terminal, through the system's own calls. Private to src/transport.
#pragma once

namespace kenning::internal {

/// Raw bytes, 8N1, no flow control, any speed that the driver takes. \return 0 or an errno.
int SetRawLine(int descriptor, int baud_rate);
/// Bits per second; 0 where the descriptor is no terminal.
int LineSpeed(int descriptor);

}  // namespace kenning::internal
