// SPDX-License-Identifier: Apache-2.0
/// \file
/// Texts that stand as attributes at the root of an HDF5 file: the part of the format that tells
/// what a Keras model is. Knows no Keras.
#pragma once

#include <optional>
#include <string>

#include "kenning/base/result.h"
#include "keras/random_file.h"

namespace kenning::tensorflow {

bool IsHdf5(const RandomAccess& file);

/// The attribute of the root group as text: one string, of fixed or variable length. Empty where
/// there is none of the name. \return kInvalidModel; kUnsupported where attributes lie in a heap of
/// their own (files written for the newest readers only) or hold something else.
Result<std::optional<std::string>> ReadRootText(const RandomAccess& file, const std::string& name);

}  // namespace kenning::tensorflow
