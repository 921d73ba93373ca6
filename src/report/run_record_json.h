// SPDX-License-Identifier: Apache-2.0
/// \file
/// The "kenning_cpp" object of a measurements file, both ways. Internal to this folder.
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/core/run_record.h"

namespace kenning {

inline constexpr int kRunRecordFormatVersion = 1;

nlohmann::json RunRecordFacts(const RunRecord& record);

}  // namespace kenning
