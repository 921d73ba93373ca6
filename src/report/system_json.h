// SPDX-License-Identifier: Apache-2.0
/// \file
/// The JSON of a machine's readings and sensors, both ways. Internal to this folder; readers throw
/// json::exception.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "kenning/core/measurement_log.h"
#include "measure/sensor_json.h"

namespace kenning {

/// Its other half is in measure/sensor_json.h.
std::vector<Sensor> SensorsFromJson(const nlohmann::json& list);

nlohmann::json SystemReadingToJson(const SystemReading& reading, std::int64_t base_ns);
/// `sensors`: how many values there must be, if any. Older files have none.
SystemReading SystemReadingFromJson(const nlohmann::json& item, std::int64_t base_ns,
                                    std::size_t sensors);

}  // namespace kenning
