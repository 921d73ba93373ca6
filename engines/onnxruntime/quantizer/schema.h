// SPDX-License-Identifier: Apache-2.0
/// \file
/// The parameters of ONNXQuantizer. Free of SDK headers: linked into the command.
#pragma once

#include "kenning/registry/param_schema.h"

namespace kenning {

ParamSchema OnnxQuantizerSchema();

}  // namespace kenning
