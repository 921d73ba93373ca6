// SPDX-License-Identifier: Apache-2.0
/// \file
/// A Keras file as a SavedModel, which TensorFlow's C interface runs. Only Keras itself makes one:
/// in the toolchain "tensorflow", once, kept in the cache.
#pragma once

#include <filesystem>

#include "kenning/base/progress.h"
#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::tensorflow {

struct KerasExport {
  std::filesystem::path folder;  ///< The SavedModel, in the cache.
  ModelSpec spec;                ///< Names are those of the layers; order is that of the model.
};

/// Looks into the cache by content of the file and version of the toolchain, else makes it. The
/// file is checked before Keras sees it. \return as RunWorker and InspectKeras.
Result<KerasExport> ExportKeras(const std::filesystem::path& path, ProgressSink& progress,
                                const CancelToken& cancel);

/// InspectKeras; where that fails for a layer that it does not know and the toolchain is there,
/// Keras is asked.
Result<ModelSpec> SpecOfKeras(const std::filesystem::path& path);

}  // namespace kenning::tensorflow
