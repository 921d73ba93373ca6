// SPDX-License-Identifier: Apache-2.0
/// \file
/// A run record in which every field holds something, for the tests of this folder.
#pragma once

#include <cstddef>

#include "kenning/core/run_record.h"

namespace kenning {

/// The same record for the same arguments. `samples` invokes of one sample each, after two that
/// warm up; `right` of each hundred samples are classified rightly.
RunRecord MakeSampleRecord(std::size_t samples, std::size_t right = 90);

}  // namespace kenning
