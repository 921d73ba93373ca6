// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kenning::internal {

void CheckFailed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: broken invariant: %s (this is a bug in kenning)\n", file, line,
               expression);
  std::abort();
}

}  // namespace kenning::internal
