// SPDX-License-Identifier: Apache-2.0
/// \file
/// Delegates: parts that compute a model's operators in place of TensorFlow Lite's own kernels.
#pragma once

#include <memory>
#include <vector>

#include "kenning/base/result.h"
#include "tflite_c_api.h"
#include "tflite_runtime.h"

namespace kenning::tflite {

using DelegatePtr = std::unique_ptr<TfLiteDelegate, void (*)(TfLiteDelegate*)>;

/// XNNPACK with this many threads. \return kEngineFailure.
Result<DelegatePtr> MakeXnnpackDelegate(int num_threads);

/// A library that implements TensorFlow Lite's interface of external delegates. \return
/// kUnavailable with the loader's reason, or saying that the library refused (no device).
Result<DelegatePtr> MakeExternalDelegate(const std::string& library,
                                         const std::vector<std::string>& options);

}  // namespace kenning::tflite
