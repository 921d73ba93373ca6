// SPDX-License-Identifier: Apache-2.0
/// \file
/// KENNING_CHECK: aborts with file and line on a broken invariant, in every build type.
/// For bugs only; anything a user, a file or a peer can cause is a Result.
#pragma once

namespace kenning::internal {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}  // namespace kenning::internal

#define KENNING_CHECK(condition) \
  (static_cast<bool>(condition)  \
       ? static_cast<void>(0)    \
       : ::kenning::internal::CheckFailed(#condition, __FILE__, __LINE__))
