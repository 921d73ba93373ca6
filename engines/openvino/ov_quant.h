// SPDX-License-Identifier: Apache-2.0
/// \file
/// Quantisation of a model's integer inputs and outputs, read off the graph. OpenVINO keeps no such
/// facts of its own: the first operators after an input and the last ones before an output are
/// them.
#pragma once

#include <openvino/openvino.hpp>
#include <optional>

#include "kenning/core/tensor_spec.h"

namespace kenning::openvino {

/// Of an integer parameter that is only dequantised; empty otherwise.
std::optional<QuantParams> QuantOfInput(const ov::Output<const ov::Node>& input);
/// Of an integer output that comes out of a quantising operator; empty otherwise.
std::optional<QuantParams> QuantOfOutput(const ov::Output<const ov::Node>& output);

}  // namespace kenning::openvino
