// SPDX-License-Identifier: Apache-2.0
/// \file
/// One small file out of a zip archive. Knows no Keras.
#pragma once

#include <string>

#include "kenning/base/result.h"
#include "keras/random_file.h"

namespace kenning::tensorflow {

bool IsZip(const RandomAccess& file);

/// Finds the member by its whole name; stored or deflated; at most RandomAccess::kMostPiece bytes.
/// \return kNotFound where the archive has no such member, kInvalidModel, kUnsupported,
/// kResourceExhausted.
Result<std::string> ReadZipMember(const RandomAccess& file, const std::string& name);

}  // namespace kenning::tensorflow
