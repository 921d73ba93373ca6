// SPDX-License-Identifier: Apache-2.0
/// \file
/// The measured loop of a local run: load, preprocess, invoke, postprocess, one batch after another
/// (single stream).
///
/// The clock is read five times a batch; each step's span is the difference of two neighbours. The
/// inference span contains Session::Invoke and nothing else. Evaluation, progress and growth of the
/// log lie outside of every span.
#pragma once

#include <span>
#include <vector>

#include "kenning/base/progress.h"
#include "kenning/core/dataset.h"
#include "kenning/core/evaluation.h"
#include "kenning/core/measurement_log.h"
#include "kenning/core/model_wrapper.h"
#include "kenning/core/runtime.h"

namespace kenning {

/// Borrows everything; all must outlive Run.
struct LoopParts {
  const Dataset& dataset;
  const ModelWrapper& wrapper;
  Session& session;
  /// Facts of the artifact's tensors (quantisation); falls back to the session's own.
  const ModelSpec& artifact_spec;
  Evaluator* evaluator = nullptr;  ///< null: nothing is evaluated.
};

struct LoopOptions {
  std::span<const SampleId> ids;
  int warm_up = 3;  ///< Invokes of the first batch before the measured ones, logged apart.
};

/// Fills `log.observations`; `log.complete` is set only when every sample was run. Cancellation is
/// not an error: the log is what was measured until then. \return kInvalidScenario where batch size
/// and model do not fit, or an error of a part, naming the sample.
Result<> RunInferenceLoop(const LoopParts& parts, const LoopOptions& options,
                          ProgressSink& progress, const CancelToken& cancel, MeasurementLog& log);

}  // namespace kenning
