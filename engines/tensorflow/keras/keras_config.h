// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a Keras model takes and gives, from its configuration, without Keras.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"
#include "keras/random_file.h"

namespace kenning::tensorflow {

/// The configuration (JSON) in a file of Keras: HDF5 (.h5, .hdf5) or zip (.keras), told apart by
/// their first bytes. \return kNotFound, kInvalidModel, kUnsupported (weights alone), kIo.
Result<std::string> ReadKerasConfig(const std::filesystem::path& path);
Result<std::string> ReadKerasConfig(const RandomAccess& file);

/// Names are those of the input and output layers. Shapes of outputs come from the layers'
/// configurations. \return kInvalidModel; kUnsupported naming a layer whose output only Keras
/// itself knows.
Result<ModelSpec> SpecOfKerasConfig(std::string_view config);

/// Both, naming the file.
Result<ModelSpec> InspectKeras(const std::filesystem::path& path);

}  // namespace kenning::tensorflow
