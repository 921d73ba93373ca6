// SPDX-License-Identifier: Apache-2.0
/// \file
/// The JSON of a measurements file, both ways. Internal to this folder.
#pragma once

#include <nlohmann/json.hpp>

#include "kenning/core/run_record.h"

namespace kenning {

inline constexpr int kRunRecordFormatVersion = 1;

/// The "kenning_cpp" object.
nlohmann::json RunRecordFacts(const RunRecord& record);

/// What a file of Python Kenning holds. \throws json::exception
RunRecord RecordFromKenning(const nlohmann::json& file);

/// Lengths, sums and labels fit each other. `where` is named otherwise.
/// \throws json::exception
void CheckEvaluation(const ClassificationEvaluation& e, const nlohmann::json& where);

}  // namespace kenning
