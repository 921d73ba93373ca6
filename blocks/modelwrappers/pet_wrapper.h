// SPDX-License-Identifier: Apache-2.0
/// \file
/// The pet breed classifiers of Kenning: MobileNetV2 for PetDataset.
#pragma once

#include "kenning/registry/registry.h"

namespace kenning {

/// Kenning's parameters: the model, and what only training uses. `model` says what model_path
/// names.
ParamSchema PetWrapperSchema(std::string_view model);

/// A classifier of one of `formats` that takes the samples as Kenning's PetDataset gives them:
/// normalised by the data set's mean and deviation. The model's input is 224 x 224 x 3.
ModelWrapperFactory PetWrapperFactory(std::vector<std::string> formats);

}  // namespace kenning
