// SPDX-License-Identifier: Apache-2.0
/// \file
/// RunRecord <-> JSON. The file has every key of Kenning's own measurements, so that its report
/// reads ours, and one more, "kenning_cpp", with everything else (docs/formats/measurements.md).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "kenning/core/run_record.h"

namespace kenning {

std::string RunRecordToJson(const RunRecord& record);
/// Reads ours (lossless) and Python Kenning's (what it holds). \return kInvalidData naming key and
/// file: truncated, wrong types, or written by a newer format version.
Result<RunRecord> RunRecordFromJson(std::string_view json, const std::string& file_name);

Result<> SaveRunRecord(const RunRecord& record, const std::filesystem::path& path);
Result<RunRecord> LoadRunRecord(const std::filesystem::path& path);

}  // namespace kenning
