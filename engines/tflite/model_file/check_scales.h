// SPDX-License-Identifier: Apache-2.0
/// \file
/// Scales and options that TensorFlow Lite's kernels answer with an abort. Private to model_file.
#pragma once

#include "model_file.h"

namespace kenning::tflite {

/// \return kInvalidModel naming the operator.
Result<> CheckScales(const FileSubgraph& graph, const std::string& name);

}  // namespace kenning::tflite
