// SPDX-License-Identifier: Apache-2.0
/// \file
/// A machine's sensors as JSON, in measurement files and in a target's statistics alike.
#pragma once

#include <utility>
#include <vector>

#include "measure/sensors.h"

namespace kenning {

/// A template, as parts of the project build the JSON library with different settings.
template <typename Json>
Json SensorsToJson(const std::vector<Sensor>& sensors) {
  Json list = Json::array();
  for (const Sensor& sensor : sensors) {
    Json item = {{"name", sensor.name},
                 {"kind", SensorKindName(sensor.kind)},
                 {"unit", SensorUnit(sensor.kind)},
                 {"source", sensor.source}};
    if (!sensor.unavailable.empty()) item["unavailable"] = sensor.unavailable;
    if (sensor.resolution > 0) item["resolution"] = sensor.resolution;
    if (sensor.refresh_s > 0) item["refresh_s"] = sensor.refresh_s;
    list.push_back(std::move(item));
  }
  return list;
}

}  // namespace kenning
