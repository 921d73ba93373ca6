// SPDX-License-Identifier: Apache-2.0
#include "transport/serial_line.h"

// The kernel's own header, as the C library's knows no speeds but those of a list. The two cannot
// be included together.
#include <asm/termbits.h>
#include <sys/ioctl.h>

#include <cerrno>

namespace kenning::internal {

int SetRawLine(int descriptor, int baud_rate) {
  termios2 line = {};
  if (::ioctl(descriptor, TCGETS2, &line) != 0) return errno;
  line.c_iflag = 0;
  line.c_oflag = 0;
  line.c_lflag = 0;
  line.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (static_cast<tcflag_t>(BOTHER) << IBSHIFT);
  line.c_ispeed = static_cast<speed_t>(baud_rate);
  line.c_ospeed = static_cast<speed_t>(baud_rate);
  line.c_cc[VMIN] = 1;
  line.c_cc[VTIME] = 0;
  return ::ioctl(descriptor, TCSETS2, &line) == 0 ? 0 : errno;
}

int LineSpeed(int descriptor) {
  termios2 line = {};
  return ::ioctl(descriptor, TCGETS2, &line) == 0 ? static_cast<int>(line.c_ospeed) : 0;
}

}  // namespace kenning::internal
