// SPDX-License-Identifier: Apache-2.0
/// \file
/// A shared object's headers, checked before the system's loader sees them. Knows nothing of TVM.
#pragma once

#include <string_view>

#include "kenning/base/result.h"

namespace kenning::tvm_engine {

/// Whether `image` is a whole shared object for this machine's architecture: 64-bit, little-endian,
/// every segment and section inside the image. \return kInvalidModel for anything broken,
/// kUnsupported for another architecture.
Result<> CheckSharedObject(std::string_view image);

}  // namespace kenning::tvm_engine
