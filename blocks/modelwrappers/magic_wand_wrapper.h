// SPDX-License-Identifier: Apache-2.0
/// \file
/// MagicWandModelWrapper: gestures from windows of accelerometer readings.
#pragma once

#include "kenning/registry/registry.h"

namespace kenning {

ParamSchema MagicWandSchema();
Result<std::unique_ptr<ModelWrapper>> MakeMagicWandWrapper(const Params& params,
                                                           const Dataset* dataset,
                                                           BlockContext& context);

}  // namespace kenning
