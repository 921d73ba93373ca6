// SPDX-License-Identifier: Apache-2.0
/// \file
/// A test under a load pattern, here or on a target.
#pragma once

#include "app/app.h"
#include "app/under_test.h"

namespace kenning {

/// Prepares samples, runs options.load, and fills the record's `log` and `load`; nothing is
/// evaluated. \return kInvalidScenario where pattern, model and target do not go together.
Result<> MeasureLoad(const Plan& plan, const TestOptions& options, const Blocks& made,
                     ModelUnderTest& model, AppContext& context, RunRecord& record);

}  // namespace kenning
