// SPDX-License-Identifier: Apache-2.0
// kenning_pty_pair BAUD: a serial cable for tests of whole programs. Prints the two device files,
// one a line, and is a cable until its input ends.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "transport/testing/pty_pair.h"

int main(int argc, char** argv) {
  const int baud_rate = argc == 2 ? std::atoi(argv[1]) : 0;
  if (baud_rate <= 0) {
    std::fputs("usage: kenning_pty_pair BAUD\n", stderr);
    return 2;
  }
  const auto pair = kenning::testing::PtyPair::Make(baud_rate);
  if (!pair) {
    std::fprintf(stderr, "%s\n", pair.error().ToString().c_str());
    return 1;
  }
  std::printf("%s\n%s\n", (*pair)->near_path().c_str(), (*pair)->far_path().c_str());
  std::fflush(stdout);
  char byte = 0;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
