// SPDX-License-Identifier: Apache-2.0
#include "transport/exact.h"

#include <fmt/format.h>

namespace kenning {

Result<> ReadExactly(Channel& channel, MutableBytes out, Deadline deadline) {
  std::size_t done = 0;
  while (done < out.size()) {
    KENNING_ASSIGN_OR_RETURN(const std::size_t got, channel.ReadSome(out.subspan(done), deadline));
    if (got == 0) {
      return Fail(ErrorCode::kTargetLost,
                  fmt::format("{} closed the connection after {} of {} bytes", channel.peer(), done,
                              out.size()));
    }
    done += got;
  }
  return {};
}

}  // namespace kenning
