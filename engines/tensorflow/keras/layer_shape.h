// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which shape one layer of Keras gives, from its configuration. Knows nothing of graphs.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>

#include "kenning/core/tensor_spec.h"

namespace kenning::tensorflow {

/// The one output of a layer of class `type` for the given inputs; empty where the class is not
/// known here, the configuration lacks something, or the inputs do not fit. Never throws.
std::optional<Shape> LayerOutputShape(const std::string& type, const nlohmann::json& config,
                                      std::span<const Shape> inputs);

/// "batch_shape" or "batch_input_shape" of a configuration; null stands for any size.
std::optional<Shape> ShapeFromJson(const nlohmann::json& json);

}  // namespace kenning::tensorflow
